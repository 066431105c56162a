package wording

// ours are the templates that come with us, by language, the best first: New takes the first that
// fits. They get shorter by what a person can do without: how long the code lives, the name (the last
// line tells the host), the warning. The last notice holds no name, so that it fits whatever the name.
//
// All letters are of GSM-7 (160 to a text) where the language has proper words that do: "clave" and
// not "código", "PIN" and not "código", Polish words without their accents. Minutes are "min", whose
// form does not change with the number. Arabic and Chinese are UCS-2 (70), which a host of 30
// characters and its lines halve; their last resort needs no letters of their own. An Arabic text has
// an Arabic letter before the first Latin one, which makes phones lay it out from the right.
var ours = map[Language]templates{
	"en": {
		code: []string{
			"{code} is your {brand} code. It expires in {minutes} min. Do not share it with anyone.",
			"{code} is your {brand} code. Do not share it.",
			"{code} is your code. Do not share it.",
		},
		notice: []string{
			"{brand}: someone signed in with your phone number at {time} after several wrong codes. If it was not you, tell your IT team at once.",
			"Someone signed in with your phone number after several wrong codes. If it was not you, tell your IT team at once.",
		},
	},
	"de": {
		code: []string{
			"{code} ist Ihr Code für {brand}. Er gilt {minutes} Min. Geben Sie ihn nicht weiter.",
			"{code} ist Ihr Code für {brand}. Nicht weitergeben.",
			"{code} ist Ihr Code. Nicht weitergeben.",
		},
		notice: []string{
			"{brand}: Um {time} gab es nach mehreren falschen Codes eine Anmeldung mit Ihrer Nummer. Waren Sie das nicht? Bitte sofort der IT melden.",
			"Nach mehreren falschen Codes gab es eine Anmeldung mit Ihrer Nummer. Waren Sie das nicht? Bitte sofort der IT melden.",
		},
	},
	"fr": {
		code: []string{
			"{code} est votre code {brand}, valable {minutes} min. Ne le communiquez à personne.",
			"{code} est votre code {brand}. Ne le partagez pas.",
			"{code} est votre code. Ne le partagez pas.",
		},
		notice: []string{
			"{brand} : connexion avec votre numéro à {time} après plusieurs codes erronés. Pas vous ? Prévenez tout de suite le service informatique.",
			"Connexion avec votre numéro après plusieurs codes erronés. Pas vous ? Prévenez tout de suite le service informatique.",
		},
	},
	"es": {
		code: []string{
			"{code} es su clave de {brand}. Caduca en {minutes} min. No la comparta con nadie.",
			"{code} es su clave de {brand}. No la comparta.",
			"{code} es su clave. No la comparta.",
		},
		notice: []string{
			"{brand}: acceso con su teléfono a las {time} tras varias claves incorrectas. Si no fue usted, avise de inmediato al equipo de TI.",
			"Acceso con su teléfono tras varias claves incorrectas. Si no fue usted, avise de inmediato al equipo de TI.",
		},
	},
	"pt": {
		code: []string{
			"{code} é o seu PIN de acesso a {brand}. Expira em {minutes} min. Nunca o revele a ninguém.",
			"{code} é o seu PIN de {brand}. Nunca o revele.",
			"{code} é o seu PIN. Nunca o revele.",
		},
		notice: []string{
			"{brand}: acesso com o seu telefone às {time} depois de muitos PIN errados. Foi outra pessoa? Avise de imediato o suporte de TI.",
			"Acesso com o seu telefone depois de muitos PIN errados. Foi outra pessoa? Avise de imediato o suporte de TI.",
		},
	},
	"pl": {
		code: []string{
			"{code} to kod logowania {brand}. Wygasa za {minutes} min. Nikomu go nie podawaj.",
			"{code} to kod {brand}. Nikomu go nie podawaj.",
			"{code} to kod logowania. Nikomu go nie podawaj.",
		},
		notice: []string{
			"{brand}: logowanie Twoim numerem o {time} po wielu niepoprawnych kodach. To nie Ty? Powiadom od razu IT.",
			"Logowanie Twoim numerem po wielu niepoprawnych kodach. To nie Ty? Powiadom od razu IT.",
		},
	},
	"ar": {
		code: []string{
			"{code} هو رمز الدخول إلى {brand}، صالح لمدة {minutes} د. لا تشاركه مع أحد.",
			"{code} رمز {brand}، صالح {minutes} د. لا تشاركه",
			"{code} رمز {brand}، لا تشاركه",
			"{code} رمزك، لا تشاركه",
			"{code} رمزك",
			"{code} {brand}",
		},
		notice: []string{
			"تم الدخول إلى {brand} برقمك بعد عدة رموز خاطئة. لست أنت؟ أبلغ الدعم",
			"تم الدخول برقمك في {time} بعد عدة رموز خاطئة. لست أنت؟ أبلغ الدعم",
		},
	},
	"zh": {
		code: []string{
			"{code} 是您的 {brand} 验证码，{minutes} 分钟内有效，请勿告诉他人。",
			"{code} 是您的 {brand} 验证码，请勿告诉他人。",
			"{code} 是您的验证码，请勿告诉他人。",
			"{code} 是您的验证码",
			"{code} {brand}",
		},
		notice: []string{
			"{brand}：{time} 有人多次输错验证码后用您的手机号登录。如非本人操作，请立即联系 IT 部门。",
			"{brand}：有人多次输错验证码后用您的手机号登录。如非本人操作，请立即联系 IT 部门。",
			"有人多次输错验证码后用您的手机号登录。如非本人操作，请立即联系 IT 部门。",
		},
	},
}

// templates are those of one language, the best first.
type templates struct{ code, notice []string }
