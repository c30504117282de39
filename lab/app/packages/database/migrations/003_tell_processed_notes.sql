-- A note is in the database before its job is on the queue, so that a lost queue can be made again from here.
ALTER TABLE notes
    ADD COLUMN processed_at timestamptz,
    ADD COLUMN times_processed integer NOT NULL DEFAULT 0,
    ADD COLUMN due_at timestamptz,
    ADD COLUMN wishes jsonb NOT NULL DEFAULT '{}';
-- Up to now the worker wrote the row.
UPDATE notes SET processed_at = created_at, times_processed = 1;
CREATE INDEX notes_not_processed ON notes (created_at) WHERE processed_at IS NULL;
