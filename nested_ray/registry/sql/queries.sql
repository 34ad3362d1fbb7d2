-- Every statement of the catalog. A block starts with `-- name:`; the sentence under it is its documentation.

-- name: create_nest
-- Make sure a nest exists.
INSERT INTO nest (name) VALUES (%(nest)s) ON CONFLICT DO NOTHING;

-- name: lock_nest
-- Serialise everything that changes one nest; always the first lock a transaction takes.
SELECT name FROM nest WHERE name = %(nest)s FOR UPDATE;

-- name: take_next_version
-- The next number of a locked nest; rolled back with its transaction, so no number is skipped.
UPDATE nest SET next_version = next_version + 1 WHERE name = %(nest)s RETURNING next_version - 1 AS version;

-- name: lock_run
-- The version row of a training run, whatever its state.
SELECT id, nest, version, state, publish_token FROM nest_version WHERE run_id = %(run_id)s FOR UPDATE;

-- name: find_run_nest
-- Which nest a training run belongs to; a run never changes its nest.
SELECT nest FROM nest_version WHERE run_id = %(run_id)s;

-- name: insert_pending
-- Announce a version that is about to be uploaded, or nothing when its run is known already.
INSERT INTO nest_version (nest, state, run_id, publish_token, lease_until, corpus_digest, config, metrics)
VALUES (%(nest)s, 'pending', %(run_id)s, %(token)s,
        clock_timestamp() + make_interval(secs => %(lease_s)s), %(corpus_digest)s, %(config)s, %(metrics)s)
ON CONFLICT (run_id) DO NOTHING;

-- name: take_over_pending
-- Make an unfinished or aborted version ours: whoever was publishing it finds its token gone.
UPDATE nest_version
SET state = 'pending', publish_token = %(token)s, corpus_digest = %(corpus_digest)s,
    lease_until = clock_timestamp() + make_interval(secs => %(lease_s)s),
    config = %(config)s, metrics = %(metrics)s
WHERE id = %(id)s;

-- name: clear_levels
-- Drop the level rows of an unfinished version.
DELETE FROM level_version WHERE version_id = %(id)s;

-- name: clear_files
-- Drop the file rows of an unfinished version.
DELETE FROM file WHERE version_id = %(id)s;

-- name: insert_level
-- One level of a version.
INSERT INTO level_version (version_id, name, kind, position, weight, num_parameters, metrics, config)
VALUES (%(id)s, %(name)s, %(kind)s, %(position)s, %(weight)s, %(num_parameters)s, %(metrics)s, %(config)s);

-- name: use_blob
-- Announce that an object will be needed; waits for a collector that is deleting this very object.
INSERT INTO blob (sha256, size_bytes) VALUES (%(sha256)s, %(size_bytes)s)
ON CONFLICT (sha256) DO UPDATE SET last_used_at = clock_timestamp();

-- name: insert_file
-- One file of a version.
INSERT INTO file (version_id, path, sha256) VALUES (%(id)s, %(path)s, %(sha256)s);

-- name: renew_lease
-- Keep an unfinished version alive while its files are uploaded.
UPDATE nest_version SET lease_until = clock_timestamp() + make_interval(secs => %(lease_s)s)
WHERE run_id = %(run_id)s AND state = 'pending' AND publish_token = %(token)s;

-- name: make_ready
-- The moment a version becomes visible.
UPDATE nest_version SET state = 'ready', version = %(version)s, created_at = clock_timestamp()
WHERE id = %(id)s;

-- name: abort_expired
-- Fence publishers that stopped renewing their lease.
UPDATE nest_version SET state = 'aborted'
WHERE state = 'pending' AND lease_until < clock_timestamp() RETURNING id;

-- name: find_versions
-- The ready versions of a nest with levels, files and aliases, oldest first; only one when a number is given.
SELECT v.nest, v.version, v.state, v.run_id, v.corpus_digest, v.created_at, v.config, v.metrics,
    (SELECT coalesce(jsonb_agg(to_jsonb(l) - 'version_id' ORDER BY l.position), '[]')
     FROM level_version l WHERE l.version_id = v.id) AS levels,
    (SELECT coalesce(jsonb_agg(to_jsonb(b) - 'last_used_at' || jsonb_build_object('path', f.path)), '[]')
     FROM file f JOIN blob b USING (sha256) WHERE f.version_id = v.id) AS files,
    (SELECT coalesce(array_agg(a.alias ORDER BY a.alias), '{}')
     FROM alias a WHERE a.nest = v.nest AND a.version = v.version) AS aliases
FROM nest_version v
WHERE v.nest = %(nest)s AND v.state = 'ready'
  AND (%(version)s::integer IS NULL OR v.version = %(version)s)
ORDER BY v.version;

-- name: list_nests
-- Every nest with its number of ready versions and the time of the newest one.
SELECT n.name, n.created_at, count(v.id) AS num_versions, max(v.created_at) AS last_published_at
FROM nest n LEFT JOIN nest_version v ON v.nest = n.name AND v.state = 'ready'
GROUP BY n.name ORDER BY n.name;

-- name: list_aliases
-- Where the aliases of a nest point.
SELECT nest, alias, version, rev FROM alias WHERE nest = %(nest)s ORDER BY alias;

-- name: set_alias
-- Point an alias of a locked nest at a ready version; the first move makes revision 1.
INSERT INTO alias (nest, alias, version, rev) VALUES (%(nest)s, %(alias)s, %(version)s, 1)
ON CONFLICT (nest, alias) DO UPDATE SET version = excluded.version, rev = alias.rev + 1
RETURNING rev;

-- name: find_move
-- A move that was made already: moving twice with one id moves once.
SELECT nest, alias, from_version, to_version, rev, moved_by, reason, moved_at
FROM alias_event WHERE move_id = %(move_id)s;

-- name: record_move
-- Append to the alias log.
INSERT INTO alias_event (move_id, nest, alias, from_version, to_version, rev, moved_by, reason)
VALUES (%(move_id)s, %(nest)s, %(alias)s, %(from_version)s, %(version)s, %(rev)s, %(moved_by)s, %(reason)s)
RETURNING nest, alias, from_version, to_version, rev, moved_by, reason, moved_at;

-- name: alias_history
-- The moves of one alias, oldest first.
SELECT nest, alias, from_version, to_version, rev, moved_by, reason, moved_at
FROM alias_event WHERE nest = %(nest)s AND alias = %(alias)s ORDER BY rev;

-- name: adopt_blob
-- Give an object that has no row one, so that it is collected like any other.
INSERT INTO blob (sha256, size_bytes, last_used_at) VALUES (%(sha256)s, %(size_bytes)s, %(modified_at)s)
ON CONFLICT DO NOTHING;

-- name: find_unreferenced
-- Objects that no version needs and that nobody announced lately.
SELECT sha256 FROM blob b
WHERE last_used_at < clock_timestamp() - make_interval(secs => %(grace_s)s)
  AND NOT EXISTS (SELECT 1 FROM file f WHERE f.sha256 = b.sha256)
ORDER BY sha256;

-- name: lock_blob
-- Hold off publishers of this object. Whether it is still unreferenced is asked afterwards, in a fresh snapshot.
SELECT sha256 FROM blob WHERE sha256 = %(sha256)s FOR UPDATE;

-- name: is_unreferenced
-- Asked again under the lock.
SELECT 1 FROM blob b
WHERE sha256 = %(sha256)s AND last_used_at < clock_timestamp() - make_interval(secs => %(grace_s)s)
  AND NOT EXISTS (SELECT 1 FROM file f WHERE f.sha256 = b.sha256);

-- name: forget_blob
-- The object is gone.
DELETE FROM blob WHERE sha256 = %(sha256)s;
