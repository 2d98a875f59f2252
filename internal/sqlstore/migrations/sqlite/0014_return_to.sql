-- +goose Up
-- The authorization request that a sign-up or a reset was asked for on the way of; '' for none. Such a request lives for an hour at most and
-- belongs to one browser, so nothing refers to its row.
ALTER TABLE attempt ADD COLUMN return_to TEXT NOT NULL DEFAULT '';
ALTER TABLE ticket ADD COLUMN return_to TEXT NOT NULL DEFAULT '';
