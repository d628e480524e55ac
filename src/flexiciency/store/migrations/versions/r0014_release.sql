-- Revision 0014: values leave at the agreement's step when that is a multiple of the stored one; corrections are found.

-- First versions are not in it, so that the import does not pay for it.
CREATE INDEX ix_meter_value_block_corrected ON meter_value_block (quantity, day, version) WHERE version > 1;

-- With the values: of each day the latest version, whatever its step, when the agreement's is a multiple of it. The
-- consents' finest steps are held against the agreement's in agreement_coverage. OFFSET 0 has PoDs looked up one by one,
-- however few rows the planner expects.
CREATE OR REPLACE VIEW released_value_block AS
SELECT r.*, p.pod, p.time_zone, b.day, b.version, b.start, b.values, b.qualities, b.step
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
