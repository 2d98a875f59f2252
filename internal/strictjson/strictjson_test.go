package strictjson

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

func TestCheckAccepts(t *testing.T) {
	for _, doc := range []string{
		`{}`, `[]`, ` {"a":1,"b":{"a":1}} `, `"x"`, `-0.5e+3`, `0`, `true`, `false`, `null`, `{"é":"\u00e9\n\ud83d\ude00"}`, `[[],{},[1,2]]`,
		`{"a":1,"A":2}`, strings.Repeat("[", 32) + strings.Repeat("]", 32),
	} {
		if err := Check([]byte(doc), Limits{}); err != nil {
			t.Errorf("%s: %v", doc, err)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	for name, doc := range map[string]string{
		"empty": ``, "blank": ` `, "duplicate": `{"a":1,"a":2}`, "duplicate by escape": `{"sub":1,"\u0073ub":2}`,
		"inner duplicate": `{"a":[{"b":1,"b":1}]}`, "trailing": `{} {}`, "trailing text": `{}x`, "trailing comma": `{"a":1,}`,
		"array comma": `[1,]`, "NUL": "{\"a\":\"\x00\"}", "NUL escape": `{"a":"\u0000"}`, "NUL after": "{}\x00", "NUL alone": "\x00",
		"bad UTF-8": "{\"a\":\"\xff\"}", "bad UTF-8 after escape": "\"\\n\xff\"", "overlong": "\"\xc0\xaf\"", "surrogate bytes": "\"\xed\xa0\x80\"",
		"lone high": `"\ud800"`, "lone low": `"\udc00"`, "two highs": `"\ud800\ud800"`, "high then text": `"\ud800x"`,
		"high then other escape": `"\ud800\n12345"`, "single quotes": `{'a':1}`, "comment": `{}//`, "BOM": "\ufeff{}", "leading zero": `01`, "plus": `+1`, "dot": `1.`, "exponent": `1e`,
		"minus": `-`, "NaN": `NaN`, "open": `{"a":1`, "open text": `"a`, "open escape": `"\`, "short escape": `"\u12`, "bad escape": `"\x"`,
		"bad hex": `"\u12g4"`, "control": "\"\n\"", "control after escape": "\"\\n\n\"", "no colon": `{"a" 1}`, "no value": `{"a":}`, "too deep": strings.Repeat("[", 33) + strings.Repeat("]", 33),
		"wrong bracket": `[1}`, "capitals": `True`,
	} {
		err := Check([]byte(doc), Limits{})
		if fault.ReasonOf(err) != fault.ReasonMalformed {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := Check([]byte(`"12345"`), Limits{Bytes: 6}); fault.ReasonOf(err) != fault.ReasonTooLarge {
		t.Errorf("size: got %v", err)
	}
}

func TestManyNames(t *testing.T) {
	var b strings.Builder
	for i := range 100 {
		b.WriteString(`,"k` + strconv.Itoa(i) + `":0`)
	}
	if err := Check([]byte(`{`+b.String()[1:]+`}`), Limits{}); err != nil {
		t.Fatal(err)
	}
	for _, again := range []string{"k0", "k30", "k99"} {
		if err := Check([]byte(`{`+b.String()[1:]+`,"`+again+`":0}`), Limits{}); err == nil {
			t.Errorf("%s twice was accepted", again)
		}
	}
}

type inner struct {
	Name string `json:"name"`
}

type embedded struct {
	Kind string `json:"kind"`
}

type doc struct {
	embedded
	Email string          `json:"email"`
	Age   int             `json:"age"`
	Inner *inner          `json:"inner"`
	List  []inner         `json:"list"`
	Data  json.RawMessage `json:"data"`
	Map   map[string]int  `json:"map"`
	When  time.Time       `json:"when"`
	Any   any             `json:"any"`
	Plain string
	Out   string `json:"-"`
}

func TestDecode(t *testing.T) {
	var d doc
	in := `{"email":"a@example.com","age":3,"inner":{"name":"x"},"list":[{"name":"y"}],"data":{"k":1,"K":2},"map":{"q":1,"Q":2},"kind":"z",
		"unknown":{"Email":1},"Out":"no","any":{"Email":1,"email":2}}`
	if err := Decode([]byte(in), &d); err != nil {
		t.Fatal(err)
	}
	if d.Email != "a@example.com" || d.Age != 3 || d.Inner.Name != "x" || d.List[0].Name != "y" || d.Kind != "z" || d.Out != "" || d.Map["Q"] != 2 {
		t.Errorf("got %+v", d)
	}
}

func TestDecodeNamesTheField(t *testing.T) {
	const secret = "hunter2-very-secret"
	for _, c := range []struct {
		doc, path string
		reason    fault.Reason
	}{
		{`{"age":"` + secret + `"}`, "age", fault.ReasonInvalid},
		{`{"email":{"` + secret + `":1}}`, "email", fault.ReasonInvalid},
		{`{"age":1e99}`, "age", fault.ReasonInvalid},
		{`{"inner":{"name":12345678}}`, "inner.name", fault.ReasonInvalid},
		{`{"inner":{"name":"` + secret + `","name":""}}`, "inner.name", fault.ReasonMalformed},
		{`{"list":[{},{"name":"` + secret + `\u0000"}]}`, "list.1.name", fault.ReasonMalformed},
		{`{"email":"` + secret + `\ud800"}`, "email", fault.ReasonMalformed},
		{`{"email":"","Email":"` + secret + `"}`, "email", fault.ReasonMalformed},
		{`{"Email":"` + secret + `"}`, "email", fault.ReasonMalformed},
		{`{"KIND":"` + secret + `"}`, "kind", fault.ReasonMalformed},
		{"{\"\u212aind\":\"" + secret + `"}`, "kind", fault.ReasonMalformed},
		{`{"map":{"` + secret + `":1,"` + secret + `":2}}`, "map.*", fault.ReasonMalformed},
		{`{"` + secret + `":1,"` + secret + `":2}`, "*", fault.ReasonMalformed},
		{`{"when":"` + secret + `"}`, "", fault.ReasonInvalid},
		{`"` + secret + `"`, "", fault.ReasonInvalid},
		{secret, "", fault.ReasonMalformed},
	} {
		err := Decode([]byte(c.doc), &doc{})
		var f *fault.Error
		if !errors.As(err, &f) {
			t.Fatalf("%s: got %v", c.doc, err)
		}
		path := ""
		if len(f.Fields) == 1 {
			path = f.Fields[0].Name
		}
		if path != c.path || f.Reason != c.reason {
			t.Errorf("%s: got %q %s, want %q %s", c.doc, path, f.Reason, c.path, c.reason)
		}
		if strings.Contains(f.Error()+f.Safe, "hunter2") || strings.Contains(f.Error(), "12345678") {
			t.Errorf("%s: the error repeats the value: %v", c.doc, f)
		}
	}
}

func TestObject(t *testing.T) {
	got, err := Object([]byte(` {"a":"x\u0041","b":[ "y","z" ],"c":-12,"d":{"e":{"a":1}},"f":true,"\u0067":null} `), Limits{})
	if err != nil || len(got) != 6 {
		t.Fatalf("%v %v", got, err)
	}
	a, _ := got[0].Text()
	b, _ := got[1].Texts()
	c, _ := got[2].Int()
	f, ok := got[4].Bool()
	if a != "xA" || len(b) != 2 || b[1] != "z" || c != -12 || !f || !ok || got[5].Name != "g" || string(got[3].Value) != `{"e":{"a":1}}` {
		t.Errorf("got %+v", got)
	}
	for i, m := range got {
		_, text := m.Text()
		_, texts := m.Texts()
		_, whole := m.Int()
		_, truth := m.Bool()
		if text != (i == 0) || texts != (i == 1) || whole != (i == 2) || truth != (i == 4) {
			t.Errorf("%s passes for several types", m.Name)
		}
	}
	for _, bad := range []string{`[]`, `"x"`, ``, `null`, `{"a":1,"a":1}`, `{}{}`} {
		if _, err := Object([]byte(bad), Limits{}); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
	if _, ok := (Member{Value: []byte(`["a",null]`)}).Texts(); ok {
		t.Error("null passed for a string")
	}
}

// FuzzCheck holds the scanner against the decoder: whatever passes here is valid there and keeps its meaning.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e3,"\u00e9\ud83d\ude00",{"b":null}]}`, `{"a":1,"a":2}`, "\"\xff\"", `[[[[]]]]`, `"\ud800"`, `{"email":"x","age":1}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if Check(data, Limits{}) != nil {
			return
		}
		if !json.Valid(data) {
			t.Fatalf("accepted what is not JSON: %q", data)
		}
		var v any
		if err := json.Unmarshal(data, &v); err != nil && !strings.Contains(err.Error(), "cannot unmarshal number") {
			t.Fatalf("%q: %v", data, err)
		}
		_ = Decode(data, &doc{})
	})
}

func BenchmarkCheck(b *testing.B) {
	data := []byte(`{"iss":"https://login.example.com","sub":"0192","aud":"app","exp":1700000000,"iat":1700000000,"roles":["a","b"],"cnf":{"jkt":"x"}}`)
	b.ReportAllocs()
	for b.Loop() {
		if err := Check(data, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
