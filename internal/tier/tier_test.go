package tier_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/tier"
)

type when = map[string][]string

// user is a tier.Subject.
type user map[string][]string

func (u user) Attribute(name string) []string { return u[name] }

var (
	anonymous = tier.Tier{Name: tier.Anonymous}
	employee  = tier.Tier{Name: tier.Employee}
)

func named(name string, rule when) tier.Tier { return tier.Tier{Name: name, When: rule} }

func TestNewTableNamesEachMistake(t *testing.T) {
	for name, tc := range map[string]struct {
		tiers []tier.Tier
		want  []string
	}{
		"nothing":                  {nil, []string{`tiers: "anonymous" is missing`, `tiers: "employee" is missing`}},
		"no anonymous":             {[]tier.Tier{employee}, []string{`"anonymous" is missing: add it`}},
		"no employee":              {[]tier.Tier{anonymous}, []string{`"employee" is missing: add it as the last rule`}},
		"employee in another case": {[]tier.Tier{anonymous, named("Employee", nil)}, []string{`"employee" is missing`}},
		"no name":                  {[]tier.Tier{anonymous, {}, employee}, []string{"tiers[1]: name is missing"}},
		"anonymous with a rule": {[]tier.Tier{named(tier.Anonymous, when{"title": {"x"}}), employee},
			[]string{`tiers[0]: "anonymous" takes no rule`}},
		"a name twice": {[]tier.Tier{anonymous, named("lead", when{"title": {"a"}}), named("lead", when{"title": {"b"}}), employee},
			[]string{`tiers[2]: a second tier named "lead"`}},
		"anonymous twice": {[]tier.Tier{anonymous, anonymous, employee}, []string{`tiers[1]: a second tier named "anonymous"`}},
		"unknown attribute": {[]tier.Tier{anonymous, named("lead", when{"phone": {"+44"}}), employee},
			[]string{`tiers[1]: unknown attribute "phone" in the rule of "lead": want one of department, email, email_domain, employment_type, groups, source, title`}},
		"attribute in another case": {[]tier.Tier{anonymous, named("lead", when{"Title": {"x"}}), employee}, []string{`unknown attribute "Title"`}},
		"no values":                 {[]tier.Tier{anonymous, named("lead", when{"title": nil}), employee}, []string{`lists no value for "title", so it never matches`}},
		"employee is not last": {[]tier.Tier{anonymous, employee, named("lead", when{"title": {"x"}})}, []string{
			`tiers[2]: the rule of "lead" is never reached: "employee" before it`, `the last rule must match everybody`}},
		"the last rule is conditional": {[]tier.Tier{anonymous, named(tier.Employee, when{"source": {"hr"}})}, []string{`the last rule must match everybody: end with "employee"`}},
		"access token too short": {[]tier.Tier{anonymous, {Name: tier.Employee, AccessTokenLifetime: time.Minute - 1}},
			[]string{"tiers[1]: access_token_lifetime of employee is 59.999999999s: want 1m to 1h0m0s"}},
		"access token too long": {[]tier.Tier{{Name: tier.Anonymous, AccessTokenLifetime: time.Hour + 1}, employee}, []string{"tiers[0]: access_token_lifetime of anonymous"}},
		"negative":              {[]tier.Tier{anonymous, {Name: tier.Employee, AccessTokenLifetime: -time.Hour, IDTokenLifetime: -1}}, []string{"access_token_lifetime of employee is -1h", "id_token_lifetime of employee"}},
		"ID token too short":    {[]tier.Tier{anonymous, {Name: tier.Employee, IDTokenLifetime: time.Second}}, []string{"tiers[1]: id_token_lifetime of employee is 1s: want 1m to 24h"}},
		"ID token too long":     {[]tier.Tier{anonymous, {Name: tier.Employee, IDTokenLifetime: 25 * time.Hour}}, []string{"id_token_lifetime of employee is 25h"}},
		"all at once": {[]tier.Tier{
			{}, named("lead", when{"phone": {"x"}, "title": nil}), {Name: "lead", AccessTokenLifetime: 1, IDTokenLifetime: 1, When: when{"groups": {"a"}}},
		}, []string{
			"tiers[0]: name is missing", `tiers[1]: unknown attribute "phone"`, `tiers[1]: the rule of "lead" lists no value for "title"`,
			`tiers[2]: a second tier named "lead"`, "tiers[2]: access_token_lifetime", "tiers[2]: id_token_lifetime",
			`tiers: "anonymous" is missing`, `tiers: "employee" is missing`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			table, err := tier.NewTable(tc.tiers, time.Hour)
			require.Error(t, err)
			require.Nil(t, table)
			mistakes := strings.Split(err.Error(), "\n")
			require.Len(t, mistakes, len(tc.want), err)
			for i, want := range tc.want {
				require.Contains(t, mistakes[i], want)
			}
		})
	}
}

// A rule that an earlier one takes everybody from is a mistake that only shows in production.
func TestUnreachableRules(t *testing.T) {
	for name, tc := range map[string]struct {
		earlier, later when
		unreachable    bool
	}{
		"the same":                           {when{"title": {"a"}}, when{"title": {"a"}}, true},
		"the same in another case":           {when{"title": {"Head of Ops"}}, when{"title": {"HEAD OF OPS"}}, true},
		"fewer values":                       {when{"title": {"a", "b"}}, when{"title": {"b"}}, true},
		"all values in another order":        {when{"title": {"a", "b"}}, when{"title": {"B", "A"}}, true},
		"more values":                        {when{"title": {"a"}}, when{"title": {"a", "b"}}, false},
		"other values":                       {when{"title": {"a"}}, when{"title": {"b"}}, false},
		"a further condition":                {when{"title": {"a"}}, when{"title": {"a"}, "groups": {"x"}}, true},
		"a further condition, more values":   {when{"title": {"a"}}, when{"title": {"a", "b"}, "groups": {"x"}}, false},
		"a condition less":                   {when{"title": {"a"}, "groups": {"x"}}, when{"title": {"a"}}, false},
		"another attribute":                  {when{"title": {"a"}}, when{"groups": {"a"}}, false},
		"no condition before":                {nil, when{"title": {"a"}}, true},
		"two conditions, both fewer values":  {when{"title": {"a", "b"}, "groups": {"x", "y"}}, when{"title": {"a"}, "groups": {"y"}}, true},
		"two conditions, one of more values": {when{"title": {"a", "b"}, "groups": {"x"}}, when{"title": {"a"}, "groups": {"x", "y"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tier.NewTable([]tier.Tier{anonymous, named("one", tc.earlier), named("two", tc.later), employee}, time.Hour)
			if !tc.unreachable {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, `tiers[2]: the rule of "two" is never reached: "one" before it`)
		})
	}
}

func TestDefaultLifetimes(t *testing.T) {
	table, err := tier.NewTable([]tier.Tier{
		anonymous, {Name: tier.Employee, AccessTokenLifetime: time.Minute, IDTokenLifetime: 24 * time.Hour},
	}, time.Hour)
	require.NoError(t, err)
	require.Equal(t, 15*time.Minute, table.Anonymous().AccessTokenLifetime)
	require.Equal(t, time.Hour, table.Anonymous().IDTokenLifetime)
	set := table.Resolve(user{})
	require.Equal(t, time.Minute, set.AccessTokenLifetime)
	require.Equal(t, 24*time.Hour, set.IDTokenLifetime)
}

// J2 and J9: tokens may live long only where services can hear that they were revoked.
func TestAccessTokenCeiling(t *testing.T) {
	for name, tc := range map[string]struct {
		statusList bool
		lifetime   time.Duration
		want       string
	}{
		"with a status list, at the ceiling":    {true, 24 * time.Hour, ""},
		"with a status list, beyond it":         {true, 24*time.Hour + 1, "access_token_lifetime of employee is 24h0m0.000000001s: want 1m to 24h0m0s"},
		"without a status list, at the ceiling": {false, time.Hour, ""},
		"without a status list, beyond it":      {false, time.Hour + 1, "access_token_lifetime of employee is 1h0m0.000000001s: want 1m to 1h0m0s"},
		"without a status list, a day":          {false, 24 * time.Hour, "access_token_lifetime of employee is 24h0m0s: want 1m to 1h0m0s"},
		"with a status list, too short":         {true, time.Second, "access_token_lifetime of employee is 1s: want 1m to 24h0m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			table, err := tier.NewTable([]tier.Tier{anonymous, {Name: tier.Employee, AccessTokenLifetime: tc.lifetime}},
				tier.MaxAccessTokenLifetime(tc.statusList))
			if tc.want != "" {
				require.ErrorContains(t, err, "tiers[1]: "+tc.want)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.lifetime, table.Resolve(user{}).AccessTokenLifetime)
			require.Equal(t, tier.DefaultAccessTokenLifetime, table.Anonymous().AccessTokenLifetime)
		})
	}
}

func TestResolve(t *testing.T) {
	table, err := tier.NewTable([]tier.Tier{
		named("admin", when{"groups": {"it-admins", "root"}, "employment_type": {"full-time"}}),
		{Name: tier.Anonymous, Permissions: []string{"waiting:read"}},
		named("manager", when{"title": {"Manager", "Head of Sales"}}),
		named("sales", when{"department": {"Sales"}}),
		named("partner", when{"email_domain": {"partner.example"}}),
		{Name: tier.Employee, Permissions: []string{"shifts:read"}, Scopes: []string{"openid"}},
	}, time.Hour)
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		who  user
		want string
	}{
		"nothing known":                {user{}, "employee"},
		"one value of two":             {user{"title": {"Manager"}}, "manager"},
		"another case":                 {user{"title": {"HEAD OF SALES"}}, "manager"},
		"no rule for it":               {user{"title": {"Clerk"}}, "employee"},
		"a part of a value":            {user{"title": {"Managers"}}, "employee"},
		"a space more":                 {user{"title": {"Manager "}}, "employee"},
		"first match wins":             {user{"title": {"Manager"}, "department": {"Sales"}}, "manager"},
		"the next rule":                {user{"title": {"Clerk"}, "department": {"sales"}}, "sales"},
		"one of many groups":           {user{"groups": {"choir", "IT-Admins"}, "employment_type": {"Full-Time"}}, "admin"},
		"one condition of two":         {user{"groups": {"it-admins"}}, "employee"},
		"the other condition of two":   {user{"employment_type": {"full-time"}}, "employee"},
		"an empty value":               {user{"title": {""}}, "employee"},
		"a value of another attribute": {user{"department": {"Manager"}}, "employee"},
		"a domain":                     {user{"email_domain": {"Partner.Example"}}, "partner"},
		"Turkish i is no i":            {user{"groups": {"ıt-admins"}, "employment_type": {"full-time"}}, "employee"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, table.Resolve(tc.who).Name) })
	}
	require.Equal(t, []string{"waiting:read"}, table.Anonymous().Permissions)
	require.Equal(t, []string{"shifts:read"}, table.Resolve(user{}).Permissions)
	require.Equal(t, []string{"openid"}, table.Resolve(user{}).Scopes)
}
