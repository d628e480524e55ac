-- Revision 0014: values leave at the agreement's step when that is a multiple of the stored one; corrections are found.

-- First versions are not in it, so that the import does not pay for it.
CREATE INDEX ix_meter_value_block_corrected ON meter_value_block (quantity, day, version) WHERE version > 1;

-- With the values: of each day the latest version, whatever its step, when the agreement's is a multiple of it. The
-- consents' finest steps are held against the agreement's in agreement_coverage. OFFSET 0 has PoDs looked up one by one,
-- however few rows the planner expects.
CREATE OR REPLACE VIEW released_value_block AS
SELECT r.*, p.pod, p.time_zone, b.day, b.version, b.start, b.values, b.qualities, b.step, b.count
FROM releasable r
CROSS JOIN LATERAL (SELECT p.pod, p.time_zone FROM pod p WHERE p.id = r.pod_id OFFSET 0) p
CROSS JOIN LATERAL (
    SELECT DISTINCT ON (m.day) m.day, m.version, m.start, m.step, m.count, m.values, m.qualities
    FROM meter_value_block m
    WHERE m.pod_id = r.pod_id
      AND m.quantity = CASE r.quantity WHEN 'EnergyConsumption' THEN 1 WHEN 'EnergyGeneration' THEN 2 WHEN 'Power' THEN 3 END
    ORDER BY m.day, m.version DESC
) b
WHERE r.time_step % b.step = 0
  AND r.released && tstzrange(b.start, b.start + b.count * b.step * interval '1 second');

-- Days without one need no look at the versions of what is released.
CREATE VIEW corrected_day AS SELECT quantity, day, version FROM meter_value_block WHERE version > 1;
COMMENT ON VIEW corrected_day IS 'Corrections of whatever PoD, without its name and values, for the role flexiciency_release';
GRANT SELECT ON corrected_day TO flexiciency_release;

-- Every version, so that one that was added up can be taken out again: of days that may leave, and null of others.
CREATE VIEW released_value_version AS
SELECT r.*, p.pod, p.time_zone, m.day, m.version, m.start, m.step, m.count,
    CASE WHEN may.leave THEN m.values END AS values, CASE WHEN may.leave THEN m.qualities END AS qualities
FROM releasable r
CROSS JOIN LATERAL (SELECT p.pod, p.time_zone FROM pod p WHERE p.id = r.pod_id OFFSET 0) p
JOIN meter_value_block m ON m.pod_id = r.pod_id
    AND m.quantity = CASE r.quantity WHEN 'EnergyConsumption' THEN 1 WHEN 'EnergyGeneration' THEN 2 WHEN 'Power' THEN 3 END
CROSS JOIN LATERAL (
    SELECT r.time_step % m.step = 0
        AND r.released && tstzrange(m.start, m.start + m.count * m.step * interval '1 second') AS leave
) may;
COMMENT ON VIEW released_value_version IS 'As released_value_block, with earlier versions: to correct an aggregate, for the role flexiciency_release';
GRANT SELECT ON released_value_version TO flexiciency_release;

CREATE TABLE aggregate_total (
    agreement_id TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    step INTEGER NOT NULL,
    day DATE NOT NULL,
    aggregation_id TEXT NOT NULL,
    members BYTEA NOT NULL,
    absent TEXT[] NOT NULL,
    sums BYTEA NOT NULL,
    counts BYTEA NOT NULL,
    latest INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    CONSTRAINT pk_aggregate_total PRIMARY KEY (agreement_id, time_zone, step, day, aggregation_id),
    CONSTRAINT fk_aggregate_total_agreement_id FOREIGN KEY(agreement_id) REFERENCES agreement (id)
);
COMMENT ON TABLE aggregate_total IS 'AGG-DAT-VAL of a local day as last added up, so that a correction is not a reading anew: a hash of the PoDs that might leave, those of them without a value, sums and counts by quality as in aggregate_totals.py, the latest version in them, and the version up to which corrections are in them';
