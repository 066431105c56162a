package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/latchkey-id/latchkey/internal/statuslist"
)

// retired is the client whose sessions one command ends. It needs no registration any more.
const retired = "retired"

// listID is the list that all filled-in sessions have their places in.
const listID = "benchbench"

// layout says what is made of the filled-in sessions, which are numbered from 1:
//
//	1 … few … many │ many are retired's │ single, one at a time │ … │ staying, a few │ …
//	revoked by us  │ revoked by one     │ revoked by            │   │ refreshed      │
//	beforehand     │ command            │ POST /oauth/revoke    │   │                │
type layout struct{ sessions int }

// numbers are some of the sessions, both ends included.
type numbers struct{ from, to int }

func (l layout) few() int         { return l.sessions / 1000 }
func (l layout) many() int        { return l.sessions / 10 }
func (l layout) retired() numbers { return numbers{l.many() + 1, 2 * l.many()} }
func (l layout) single() numbers  { return numbers{2*l.many() + 1, 2*l.many() + 2*singles} }

// staying returns n sessions of people of the staff, each somebody else's.
func (l layout) staying(n int) numbers { return numbers{3 * l.many(), 3*l.many() + n - 1} }

// accounts is how many people have the sessions: ten each. The first are the staff; the others are
// waiting for HR to enter them, which no query here minds.
func (l layout) accounts() int { return l.sessions / 10 }

// fill puts the sessions there, the first few of them revoked. Which place a session has is left to
// chance, as in life: revoked places in a pattern would compress to nothing.
func (l layout) fill(ctx context.Context, database string) error {
	places := func(n int) int { return (n + 255) / 256 * 256 } // leased by the block
	now := "CAST(EXTRACT(EPOCH FROM now()) * 1000000 AS BIGINT)"
	for _, statement := range []string{
		fmt.Sprintf(`
INSERT INTO accounts (subject, user_id, created_at)
SELECT substr(md5('account ' || n), 1, 26), u.id, 0
FROM generate_series(0, %d - 1) AS n
LEFT JOIN (SELECT id, row_number() OVER (ORDER BY external_id) - 1 AS n FROM users) AS u USING (n)`, l.accounts()),
		fmt.Sprintf(`
INSERT INTO sessions (sid, subject, client_id, code_use, method, identifier, scope, audience, tier, device, address, last_address,
    auth_time, last_used_at, rotated_at, expires_at, status_list, status_index, revoked_at, revoked_reason, revoked_tick)
SELECT substr(md5('session ' || n), 1, 26), a.subject, CASE WHEN n BETWEEN %[1]d AND %[2]d THEN '%[3]s' ELSE '%[4]s' END, n::text,
    'sms', COALESCE(u.phone, 'not in HR'), '%[5]s', '%[6]s', 'employee', 'Firefox on Linux', '127.0.0.1', '127.0.0.1',
    %[7]s, %[7]s, %[7]s, %[7]s + 30 * 86400000000, '%[8]s', place,
    CASE WHEN n <= %[9]d THEN %[7]s END, CASE WHEN n <= %[9]d THEN 'operator' ELSE '' END, CASE WHEN n <= %[9]d THEN n ELSE 0 END
FROM (SELECT place, row_number() OVER (ORDER BY random()) AS n FROM generate_series(0, %[10]d - 1) AS place) AS places
JOIN accounts a ON a.subject = substr(md5('account ' || n %% %[11]d), 1, 26)
LEFT JOIN users u ON u.id = a.user_id
WHERE n <= %[12]d`, l.retired().from, l.retired().to, retired, algorithms[0].client, stayScope, audience, now, listID, l.few(),
			statuslist.Size, l.accounts(), l.sessions),
		fmt.Sprintf("UPDATE status_lists SET leased = %d, leased_at = %s WHERE id = '%s'", places(l.sessions), now, listID),
		fmt.Sprintf("UPDATE revocation_clock SET tick = %d", l.few()),
		"VACUUM ANALYZE",
	} {
		if err := execute(ctx, database, statement); err != nil {
			return err
		}
	}
	return nil
}

// revokeMany revokes all up to many, each by a tick of its own, behind the server's back.
func (l layout) revokeMany(ctx context.Context, database string) error {
	for _, statement := range []string{
		fmt.Sprintf(`UPDATE sessions SET revoked_at = auth_time, revoked_reason = 'operator', revoked_tick = code_use::bigint
WHERE code_use::bigint BETWEEN %d AND %d`, l.few()+1, l.many()),
		fmt.Sprintf("UPDATE revocation_clock SET tick = %d", l.many()),
		"VACUUM ANALYZE sessions",
	} {
		if err := execute(ctx, database, statement); err != nil {
			return err
		}
	}
	return nil
}

// filled is a filled-in session.
type filled struct {
	sid   string
	index int
}

// find returns some of the sessions, in the order of their numbers.
func (n numbers) find(ctx context.Context, database string) ([]filled, error) {
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	rows, err := conn.Query(ctx, `SELECT sid, status_index FROM sessions WHERE code_use = ANY
    (SELECT n::text FROM generate_series($1::int, $2::int) AS n) ORDER BY code_use::int`, n.from, n.to)
	if err != nil {
		return nil, fmt.Errorf("find sessions: %w", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (filled, error) {
		var f filled
		err := row.Scan(&f.sid, &f.index)
		return f, err
	})
	if err == nil && len(found) != n.to-n.from+1 {
		err = fmt.Errorf("%d sessions are there, want %d", len(found), n.to-n.from+1)
	}
	return found, err
}

// indexes are the places of sessions.
func indexes(of []filled) []int {
	all := make([]int, len(of))
	for i, f := range of {
		all[i] = f.index
	}
	return all
}

// listURL is where a replica serves the list.
func listURL(baseURL string) string {
	return strings.TrimSuffix(baseURL, "/") + "/status-lists/" + url.PathEscape(listID)
}
