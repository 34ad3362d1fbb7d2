-- Nests, their published versions, the files of each version and the aliases that point at versions.

CREATE TABLE nest (
    name         text PRIMARY KEY,
    next_version integer NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- A row is pending while its files are being uploaded, under a lease. It gets its number in the same
-- transaction that makes it ready, so numbers are contiguous whatever was killed in between.
CREATE TABLE nest_version (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    nest          text NOT NULL REFERENCES nest (name),
    version       integer,
    state         text NOT NULL CHECK (state IN ('pending', 'ready', 'aborted')),
    run_id        text NOT NULL UNIQUE,
    publish_token text NOT NULL,
    lease_until   timestamptz NOT NULL,
    corpus_digest text NOT NULL,
    config        jsonb NOT NULL,
    metrics       jsonb NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (nest, version),
    CHECK ((state = 'ready') = (version IS NOT NULL))
);

CREATE TABLE level_version (
    version_id     bigint NOT NULL REFERENCES nest_version (id) ON DELETE CASCADE,
    name           text NOT NULL,
    kind           text NOT NULL,
    position       integer NOT NULL,
    weight         double precision NOT NULL,
    num_parameters bigint NOT NULL,
    metrics        jsonb NOT NULL,
    config         jsonb NOT NULL,
    PRIMARY KEY (version_id, name)
);

-- An object `blobs/<sha256>` in S3. The row is locked by whoever is about to use or delete the object.
CREATE TABLE blob (
    sha256       text PRIMARY KEY CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    size_bytes   bigint NOT NULL CHECK (size_bytes >= 0),
    last_used_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE file (
    version_id bigint NOT NULL REFERENCES nest_version (id) ON DELETE CASCADE,
    path       text NOT NULL,
    sha256     text NOT NULL REFERENCES blob (sha256),
    PRIMARY KEY (version_id, path)
);
CREATE INDEX file_sha256 ON file (sha256);

CREATE TABLE alias (
    nest    text NOT NULL REFERENCES nest (name),
    alias   text NOT NULL,
    version integer NOT NULL,
    rev     integer NOT NULL,
    PRIMARY KEY (nest, alias),
    FOREIGN KEY (nest, version) REFERENCES nest_version (nest, version)
);

-- Every move an alias ever made: which version was champion at any time is one query.
CREATE TABLE alias_event (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    move_id      text NOT NULL UNIQUE,
    nest         text NOT NULL REFERENCES nest (name),
    alias        text NOT NULL,
    from_version integer,
    to_version   integer NOT NULL,
    rev          integer NOT NULL,
    moved_by     text NOT NULL,
    reason       text NOT NULL,
    moved_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (nest, alias, rev)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$;

CREATE TRIGGER alias_event_append_only BEFORE UPDATE OR DELETE ON alias_event
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
