package sqlstore

import (
	"context"
	"encoding/json"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/recipe"
)

type metadatas struct{ e engine }

// Metadatas keeps free objects of the recipe room.
func (s *Store) Metadatas() recipe.Metadatas { return metadatas{s.e} }

var (
	metadataGet = hot(both(`SELECT data, version FROM subject_metadata WHERE tenant_id = $1 AND subject = $2`))
	metadataPut = hot(both(`INSERT INTO subject_metadata (tenant_id, subject, data, version) VALUES ($1, $2, $3, 1) ON CONFLICT DO NOTHING`))
	metadataSet = hot(both(`UPDATE subject_metadata SET data = $4, version = version + 1 WHERE tenant_id = $1 AND subject = $2 AND version = $3`))
)

// Load reads a subject's object.
func (s metadatas) Load(ctx context.Context, tenantID, subject string) (m recipe.Metadata, err error) {
	err = s.e.read(ctx, func(q queryer) error {
		m = recipe.Metadata{}
		var data string
		found, err := q.row(metadataGet, in{tenantID, subject}, &data, &m.Version)
		if found {
			m.Data = json.RawMessage(data)
		}
		return err
	})
	return m, err
}

// Swap replaces it if nobody else did.
func (s metadatas) Swap(ctx context.Context, tenantID, subject string, from, to recipe.Metadata, rec audit.Record) (bool, error) {
	if from.Version == 0 {
		return insertOnce(ctx, s.e, rec, metadataPut, tenantID, subject, string(to.Data))
	}
	return insertOnce(ctx, s.e, rec, metadataSet, tenantID, subject, from.Version, string(to.Data))
}

// Remove deletes it.
func (s metadatas) Remove(ctx context.Context, tenantID, subject string, rec audit.Record) error {
	return s.e.write(ctx, func(q queryer) error {
		if err := q.later(forgetMetadata, tenantID, subject); err != nil {
			return err
		}
		return writeRecord(q, rec)
	})
}
