-- Revision 0014: values leave at the agreement's step when that is a multiple of the stored one; corrections are found.

-- First versions are not in it, so that the import does not pay for it.
CREATE INDEX ix_meter_value_block_corrected ON meter_value_block (quantity, day, version) WHERE version > 1;

-- With the values: of each day the latest version, whatever its step, when the agreement's is a multiple of it. The
-- consents' finest steps are held against the agreement's in agreement_coverage.
CREATE OR REPLACE VIEW released_value_block AS
SELECT r.*, p.pod, p.time_zone, b.day, b.version, b.start, b.values, b.qualities, b.step
FROM releasable r
JOIN pod p ON p.id = r.pod_id
CROSS JOIN LATERAL (
    SELECT DISTINCT ON (m.day) m.day, m.version, m.start, m.step, m.count, m.values, m.qualities
    FROM meter_value_block m
    WHERE m.pod_id = r.pod_id
      AND m.quantity = CASE r.quantity WHEN 'EnergyConsumption' THEN 1 WHEN 'EnergyGeneration' THEN 2 WHEN 'Power' THEN 3 END
    ORDER BY m.day, m.version DESC
) b
WHERE r.time_step % b.step = 0
  AND r.released && tstzrange(b.start, b.start + b.count * b.step * interval '1 second');
