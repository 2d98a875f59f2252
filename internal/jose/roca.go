package jose

import "math/big"

// rocaPrimes are the small odd primes by which moduli of a broken key generator (CVE-2017-15361, "ROCA") are told.
var rocaPrimes = []uint64{3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113,
	127, 131, 137, 139, 149, 151, 157, 163, 167}

// roca reports whether a modulus has the mark of that generator, whose keys can be factored: modulo every small prime it is a power of
// 65537. An honest modulus has it with a chance of about one in 2^28.
func roca(n *big.Int) bool {
	rest := new(big.Int)
	for _, p := range rocaPrimes {
		if !powerOf(65537%p, rest.Mod(n, new(big.Int).SetUint64(p)).Uint64(), p) {
			return false
		}
	}
	return true
}

// powerOf reports whether some power of g is x modulo p.
func powerOf(g, x, p uint64) bool {
	for power := uint64(1); ; {
		if power == x {
			return true
		}
		if power = power * g % p; power == 1 {
			return false
		}
	}
}
