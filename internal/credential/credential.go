// Package credential owns checking and enrolling proofs. Now: passwords, hashed with argon2id behind a bounded queue, with decoy work
// for unknown people. It does not own sessions, limits or who the user is.
package credential

import "time"

// Password is a stored password credential. PHC is the hash in PHC string form; PepperID names the ring key mixed in first, 0 for none
// (imported hashes).
type Password struct {
	ID        string
	UserID    string
	PHC       string
	PepperID  uint32
	CreatedAt time.Time
	UpdatedAt time.Time
}
