package recipe

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// Clash says what a mapping met.
type Clash struct{ User, Name bool }

// Map gives a user another system's name. Reasons: no_such_user; already_mapped, and then clash says what is mapped; invalid_field for a name
// that is a user's own id: by it a call about one user would reach the other.
func (s *Service) Map(ctx context.Context, call *audit.Call, t *tenant.Tenant, e External) (clash Clash, err error) {
	if other, err := s.cfg.People.Get(ctx, t.ID, e.Name); err == nil && other.User.ID == e.Name {
		return clash, fault.New(fault.Invalid, fault.ReasonInvalid, "Cannot create a userId mapping where the externalId is also a SuperTokens userID")
	}
	err = s.cfg.Externals.Map(ctx, t.ID, e, trail(call, EventMapped, e.UserID, ""))
	if err == nil || fault.From(err).Kind != fault.Conflict {
		return clash, unknownUser(err)
	}
	_, byUser := s.cfg.Externals.ByUser(ctx, t.ID, e.UserID)
	_, byName := s.cfg.Externals.ByName(ctx, t.ID, e.Name)
	return Clash{User: byUser == nil, Name: byName == nil}, as(err, fault.Conflict, fault.ReasonMapped, "the user or the name is mapped already")
}

// NameKind says which of its two names a caller means.
type NameKind uint8

// The kinds.
const (
	AnyName NameKind = iota
	OwnName
	ExternalName
)

// Mapping reads a mapping by one of its names. Reason: no_such_mapping.
func (s *Service) Mapping(ctx context.Context, t *tenant.Tenant, name string, kind NameKind) (External, error) {
	var e External
	err := error(fault.New(fault.NotFound, fault.ReasonNotFound, ""))
	if kind != ExternalName {
		e, err = s.cfg.Externals.ByUser(ctx, t.ID, name)
	}
	if kind == ExternalName || kind == AnyName && err != nil && fault.From(err).Kind == fault.NotFound {
		e, err = s.cfg.Externals.ByName(ctx, t.ID, name)
	}
	return e, as(err, fault.NotFound, fault.ReasonUnknownMapping, "there is no such mapping")
}

// Unmap takes a name away.
func (s *Service) Unmap(ctx context.Context, call *audit.Call, t *tenant.Tenant, name string, kind NameKind) (found bool, err error) {
	e, err := s.Mapping(ctx, t, name, kind)
	if fault.ReasonOf(err) == fault.ReasonUnknownMapping {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return s.cfg.Externals.Unmap(ctx, t.ID, e.UserID, trail(call, EventUnmapped, e.UserID, ""))
}

// SetInfo replaces the free text of a mapping, nil takes it away. Reason: no_such_mapping.
func (s *Service) SetInfo(ctx context.Context, call *audit.Call, t *tenant.Tenant, e External, kind NameKind) error {
	found, err := s.Mapping(ctx, t, e.Name, kind)
	if err != nil {
		return err
	}
	found.Info, found.HasInfo = e.Info, e.HasInfo
	err = s.cfg.Externals.SetInfo(ctx, t.ID, found, trail(call, EventMapped, found.UserID, ""))
	return as(err, fault.NotFound, fault.ReasonUnknownMapping, "there is no such mapping")
}
