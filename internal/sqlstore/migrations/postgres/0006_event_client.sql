-- +goose Up
-- What was done to clients: why a client's sessions ended is looked up by it.
CREATE INDEX event_client ON event (client_id, tenant_id, id) WHERE type IN ('client.applied', 'client.removed');
