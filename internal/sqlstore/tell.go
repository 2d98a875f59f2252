package sqlstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// Tell makes the messages that leave because sessions of a tenant have ended (back-channel logout). It runs inside the transaction that ends
// them, perhaps more than once: it must be quick and touch nothing.
type Tell func(tenantID string, ended []session.Ended) ([]audit.Message, error)

// telling hands Config.Tell to the verbs that end sessions.
type telling struct {
	engine
	tell Tell
}

func (t telling) write(ctx context.Context, fn func(q queryer) error) error {
	return t.engine.write(ctx, func(q queryer) error { return fn(tellingQueryer{q, t.tell}) })
}

type tellingQueryer struct {
	queryer
	tell Tell
}

// writeEnded writes rec with the revocations of the ended families, and what applications are told of them: every verb that ends families
// passes here, whatever its cause, so that no way of ending one forgets the application, none is told twice of one end, and a crash after the
// commit loses nothing.
func writeEnded(q queryer, tenantID string, e ended, rec audit.Record) error {
	rec = e.beside(rec)
	if t, ok := q.(tellingQueryer); ok && len(e.families) > 0 {
		messages, err := t.tell(tenantID, e.families)
		if err != nil {
			return err
		}
		rec.Messages = append(append([]audit.Message(nil), rec.Messages...), messages...)
	}
	return writeRecord(q, rec)
}
