package token

import (
	"cmp"
	"slices"
)

// Stats are figures for metrics, of all tenants together.
type Stats struct {
	Tenants int // whose keys this node holds
	Ready   int // of them, those that can sign with every algorithm
	Keys    []KeyCount
}

// KeyCount is how many published keys there are of one kind and algorithm.
type KeyCount struct {
	Kind Kind
	Alg  string
	N    int
}

// Stats counts the keys in use.
func (s *Service) Stats() Stats {
	var out Stats
	counts := map[KeyCount]int{}
	s.tenants.Range(func(id, k any) bool {
		v := k.(*tenantKeys).view.Load()
		if v == nil {
			return true
		}
		out.Tenants++
		if s.Ready(id.(string)) {
			out.Ready++
		}
		for _, held := range v.known {
			counts[KeyCount{Kind: held.row.Kind, Alg: held.row.Alg}]++
		}
		return true
	})
	for k, n := range counts {
		k.N = n
		out.Keys = append(out.Keys, k)
	}
	slices.SortFunc(out.Keys, func(a, b KeyCount) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Alg, b.Alg)) })
	return out
}
