package sqlstore

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzList: what list wrote, listOf reads as encoding/json does.
func FuzzList(f *testing.F) {
	for _, seed := range [][2]string{{"a", "b"}, {"", ""}, {`","`, `\`}, {`"`, "<&>"}, {"é", "\n"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, l := range [][]string{nil, {}, {a}, {a, b}, {a, b, a}} {
			stored := list(l)
			var want []string
			if stored != "" {
				_ = json.Unmarshal([]byte(stored), &want)
			}
			if got, err := listOf(stored); err != nil || !cmp.Equal(got, want) {
				t.Errorf("%q was written as %q and read as %q, %v", l, stored, got, err)
			}
		}
	})
}
