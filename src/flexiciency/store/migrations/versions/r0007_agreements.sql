-- Revision 0007: agreements move on (counter, suspend, end), and a provider may decide by hand.

ALTER TABLE service_description ADD COLUMN by_hand BOOLEAN DEFAULT false NOT NULL;
COMMENT ON TABLE service_description IS 'MKP-SRV-DES: a service of the registration that published it; its type is that of the offer or subscription that holds it, if any; time_step as in the contract (PT15M), localization by element name; by_hand: our operator decides on its activations and agreements';
ALTER TABLE agreement DROP CONSTRAINT ck_agreement_dates;
ALTER TABLE agreement ADD CONSTRAINT ck_agreement_dates CHECK (start_date <= end_date);
CREATE TABLE agreement_selection (
    agreement_id TEXT NOT NULL,
    selection_id TEXT NOT NULL,
    CONSTRAINT pk_agreement_selection PRIMARY KEY (agreement_id, selection_id),
    CONSTRAINT fk_agreement_selection_agreement_id FOREIGN KEY (agreement_id) REFERENCES agreement (id)
);
COMMENT ON TABLE agreement_selection IS 'SRV-ACT-AGR → IND-DAT-SEL or AGG-DAT-SEL';
