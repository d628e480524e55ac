-- Revision 0009: technical validations may be answered later, and go in both directions. Those so far were answered at once.

ALTER TABLE load_area ADD COLUMN network TEXT;
COMMENT ON TABLE load_area IS 'Load areas of this DSO; the zone is that of its times of day, network the file of a grid model';

ALTER TABLE technical_validation RENAME COLUMN requester_id TO player_id;
ALTER TABLE technical_validation RENAME CONSTRAINT fk_technical_validation_requester_id TO fk_technical_validation_player_id;
ALTER TABLE technical_validation ADD COLUMN direction TEXT;
ALTER TABLE technical_validation ADD COLUMN status TEXT;
ALTER TABLE technical_validation ADD COLUMN asked_at TIMESTAMP WITH TIME ZONE;
UPDATE technical_validation SET direction = 'FromPlayer', status = 'Answered', asked_at = answered_at;
ALTER TABLE technical_validation ALTER COLUMN direction SET NOT NULL;
ALTER TABLE technical_validation ALTER COLUMN status SET NOT NULL;
ALTER TABLE technical_validation ALTER COLUMN asked_at SET NOT NULL;
ALTER TABLE technical_validation ALTER COLUMN response_id DROP NOT NULL;
ALTER TABLE technical_validation ALTER COLUMN dso_factor DROP NOT NULL;
ALTER TABLE technical_validation ALTER COLUMN tso_factor DROP NOT NULL;
ALTER TABLE technical_validation ALTER COLUMN answered_at DROP NOT NULL;
ALTER TABLE technical_validation ADD CONSTRAINT ck_technical_validation_direction CHECK (direction IN ('FromPlayer', 'ToPlayer'));
ALTER TABLE technical_validation ADD CONSTRAINT ck_technical_validation_status CHECK (status IN ('Received', 'Asked', 'Answered'));
ALTER TABLE technical_validation ADD CONSTRAINT ck_technical_validation_answer CHECK (num_nonnulls(response_id, dso_factor, tso_factor, answered_at) = CASE status WHEN 'Answered' THEN 4 ELSE 0 END);
COMMENT ON TABLE technical_validation IS 'TECH-FLEX-REQ with its TECH-FLEX-RESP: of a Market Player, Received until Answered, or of us to one, Asked until Answered; the load area is what was asked, known or not';
