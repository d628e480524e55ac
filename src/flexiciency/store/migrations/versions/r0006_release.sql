-- Revision 0006: every consent is kept, refused ones too, with the message that proves it; the release rule is a view.

ALTER TABLE consent DROP CONSTRAINT fk_consent_dso_id;
ALTER TABLE consent DROP CONSTRAINT fk_consent_eso_id;
ALTER TABLE consent DROP CONSTRAINT ck_consent_dates;
ALTER TABLE consent ADD COLUMN message_id TEXT;
COMMENT ON TABLE consent IS 'CUS-CON-DES (in message_id) and its CUS-CON-ACK; end_date is exclusive';
ALTER TABLE consent_pod ADD CONSTRAINT ck_consent_pod_covered CHECK (NOT isempty(covered));
ALTER TABLE consent_revocation ADD COLUMN channel_id TEXT;
ALTER TABLE consent_revocation ADD COLUMN authentication_method TEXT;
ALTER TABLE consent_revocation ADD COLUMN authenticated_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE consent_revocation ADD COLUMN message_id TEXT;
COMMENT ON TABLE consent_revocation IS 'CUS-CON-REV (in message_id)';
ALTER TABLE delivery_pod ADD COLUMN consents TEXT[];
COMMENT ON TABLE delivery_pod IS 'IND-DAT-VAL by PoD, the consents that released its values, and what IND-DAT-ACK said of it';
CREATE INDEX ix_delivery_pod_consents ON delivery_pod USING gin (consents);

-- Decision 9, all of it but the values: what may leave of a PoD under an agreement, and by which consent (null where the
-- service wants none). EndDate limits the data, not the sending moment: an agreement that was ended still covers the
-- days before. The parts of several consents add up.
CREATE VIEW releasable AS
SELECT g.id AS agreement_id, g.requester_id, g.quantity, g.time_step, ap.pod_id, NULL::text AS consent_id,
    ap.covered AS released
FROM agreement g
JOIN service_description d ON d.id = g.service_description_id AND NOT d.customer_consent_mandatory
JOIN agreement_pod ap ON ap.agreement_id = g.id
WHERE g.status IN ('Validated', 'Ended') AND g.validation_date IS NOT NULL AND NOT isempty(ap.covered)
UNION ALL
SELECT g.id, g.requester_id, g.quantity, g.time_step, ap.pod_id, cp.consent_id, ap.covered * cp.covered * h.held
FROM agreement g
JOIN service_description d ON d.id = g.service_description_id AND d.customer_consent_mandatory
JOIN agreement_pod ap ON ap.agreement_id = g.id
JOIN consent_pod cp ON cp.pod_id = ap.pod_id AND cp.status = 'Acknowledged'
JOIN consent c ON c.id = cp.consent_id AND c.eso_id = g.requester_id
JOIN consent_scope s ON s.consent_id = c.id AND s.quantity = g.quantity AND s.finest_step <= g.time_step
JOIN pod_holder h ON h.pod_id = ap.pod_id AND h.customer_id = c.customer_id
WHERE g.status IN ('Validated', 'Ended') AND g.validation_date IS NOT NULL
  AND NOT isempty(ap.covered * cp.covered * h.held);
COMMENT ON VIEW releasable IS 'The release rule (decision 9): which part of a PoD may leave under an agreement, by which consent';

-- With the values: the latest version of each block of which any part may leave.
CREATE VIEW released_value_block AS
SELECT r.*, p.pod, p.time_zone, b.day, b.version, b.start, b.values, b.qualities
FROM releasable r
JOIN pod p ON p.id = r.pod_id
CROSS JOIN LATERAL (
    SELECT DISTINCT ON (m.day) m.day, m.version, m.start, m.step, m.count, m.values, m.qualities
    FROM meter_value_block m
    WHERE m.pod_id = r.pod_id AND m.step = r.time_step
      AND m.quantity = CASE r.quantity WHEN 'EnergyConsumption' THEN 1 WHEN 'EnergyGeneration' THEN 2 WHEN 'Power' THEN 3 END
    ORDER BY m.day, m.version DESC
) b
WHERE r.released && tstzrange(b.start, b.start + b.count * b.step * interval '1 second');
COMMENT ON VIEW released_value_block IS 'The one way from stored meter values to a message, for the role flexiciency_release';

-- The role that values are read as on their way out: it has rights on that view and nothing else.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'flexiciency_release') THEN
        BEGIN
            CREATE ROLE flexiciency_release NOLOGIN;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL;  -- made meanwhile for another database of this server
        END;
    END IF;
    IF NOT pg_has_role(current_user, 'flexiciency_release', 'MEMBER') THEN
        GRANT flexiciency_release TO CURRENT_USER;
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'the role flexiciency_release is missing, and % may not make it', current_user
            USING HINT = format('As an administrator: CREATE ROLE flexiciency_release NOLOGIN; GRANT flexiciency_release TO %I', current_user);
END $$;
GRANT SELECT ON released_value_block TO flexiciency_release;
