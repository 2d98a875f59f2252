package storetest

// badTexts are refused alike by every engine: PostgreSQL cannot store them, and what one engine takes the other could not be moved to.
var badTexts = []string{"a\x00b", "\x00", "a\xff\xfe", "\xc3\x28", "\xed\xa0\x80"}

// twins are pairs of texts that look or fold alike and are different: an engine that folds case, composes, or collates by a language
// would give one person's account to another.
var twins = [][2]string{
	{"i@example.com", "I@example.com"},
	{"i@example.com", "İ@example.com"},
	{"i@example.com", "ı@example.com"},
	{"i\u0307@example.com", "i@example.com"},
	{"strasse@example.com", "straße@example.com"},
	{"straße@example.com", "straẞe@example.com"},
	{"\u00e5sa@example.com", "a\u030asa@example.com"},
	{"\u212bsa@example.com", "\u00c5sa@example.com"},
	{"\U0001F600@example.com", "\U0001F601@example.com"},
	{"e@example.com", "é@example.com"},
	{"ann@example.com", "ann@example.com "},
	{"ann@example.com", "ann@example.com\u200b"},
	{"σ@example.com", "ς@example.com"},
	{"a%@example.com", "ab@example.com"},
	{"a_@example.com", "ab@example.com"},
	{"ﬁ@example.com", "fi@example.com"},
}
