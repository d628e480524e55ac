-- Revision 0005: the Market Place. What it did stays as it is; later changes are later revisions.

ALTER TABLE market_player_description DROP COLUMN territory;
COMMENT ON TABLE market_player_description IS 'MPL-DES: a company; contact has the elements of ContactDetails that are there, by name';
CREATE INDEX ix_market_player_description_company_type ON market_player_description (company_type);
CREATE INDEX ix_market_player_description_country ON market_player_description ((contact ->> 'Country'));
CREATE INDEX ix_market_player_registration_role_id ON market_player_registration (role, id);
ALTER TABLE market_player_registration ADD COLUMN suspended_by TEXT;
ALTER TABLE market_player_registration ADD CONSTRAINT ck_market_player_registration_suspended_by CHECK (suspended_by IN ('Operator', 'Player'));
UPDATE market_player_registration SET suspended_by = 'Operator' WHERE status = 'Suspended';
ALTER TABLE market_player_authentication ALTER COLUMN contact_point TYPE JSONB USING jsonb_build_object('Name', contact_point);
ALTER TABLE market_player_location DROP CONSTRAINT pk_market_player_location;
ALTER TABLE market_player_location ADD CONSTRAINT pk_market_player_location PRIMARY KEY (id, registration_id);
COMMENT ON TABLE market_player_location IS 'MPL-ADD: where a registration receives pushes; a row for each registration served there';
ALTER TABLE service_description RENAME COLUMN provider_id TO owner_id;
ALTER TABLE service_description RENAME CONSTRAINT fk_service_description_provider_id TO fk_service_description_owner_id;
ALTER INDEX ix_service_description_provider_id RENAME TO ix_service_description_owner_id;
ALTER TABLE service_description ALTER COLUMN service_type DROP NOT NULL;
ALTER TABLE service_description ADD COLUMN withdrawn_at TIMESTAMP WITH TIME ZONE;
CREATE INDEX ix_service_description_alone ON service_description (id) WHERE service_type IS NULL;
COMMENT ON TABLE service_description IS 'MKP-SRV-DES: a service of the registration that published it; its type is that of the offer or subscription that holds it, if any; time_step as in the contract (PT15M), localization by element name';
ALTER TABLE b2b_service_subscription ADD COLUMN validated_by_provider_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE b2b_service_subscription ADD COLUMN validated_by_requester_at TIMESTAMP WITH TIME ZONE;
CREATE UNIQUE INDEX uq_b2b_service_subscription_proposed ON b2b_service_subscription (provider_id, requester_id) WHERE status = 'Proposed';
CREATE SEQUENCE directory_number;

CREATE TABLE directory_change (
    kind TEXT NOT NULL,
    object_id TEXT NOT NULL,
    reader_id TEXT NOT NULL,
    number BIGINT NOT NULL,
    CONSTRAINT pk_directory_change PRIMARY KEY (kind, object_id, reader_id),
    CONSTRAINT ck_directory_change_kind CHECK (kind IN ('MPL-REG', 'MPL-DES', 'MPL-ADD', 'MPL-AUT', 'MKP-SRV-DES', 'B2B-SRV-SUB')),
    CONSTRAINT uq_directory_change_number UNIQUE (number)
);
CREATE INDEX ix_directory_change_reader_id_number ON directory_change (reader_id, number);
COMMENT ON TABLE directory_change IS 'The latest change of each object of the directory, for one reader or for all (empty)';

CREATE TABLE market_place_description (
    id TEXT NOT NULL,
    purpose TEXT NOT NULL,
    legal_information TEXT NOT NULL,
    contact_details TEXT NOT NULL,
    stakeholder_and_community TEXT NOT NULL,
    help TEXT NOT NULL,
    usage_condition TEXT NOT NULL,
    CONSTRAINT pk_market_place_description PRIMARY KEY (id)
);
COMMENT ON TABLE market_place_description IS 'MKP-DES: one row';

CREATE TABLE market_place_location (
    id TEXT NOT NULL,
    uri TEXT NOT NULL,
    CONSTRAINT pk_market_place_location PRIMARY KEY (id)
);
COMMENT ON TABLE market_place_location IS 'MKP-ADD: an access point of the Market Place';

CREATE TABLE market_place_mirror (
    id INTEGER NOT NULL,
    cursor TEXT,
    read_at TIMESTAMP WITH TIME ZONE,
    failed_at TIMESTAMP WITH TIME ZONE,
    failure TEXT,
    CONSTRAINT pk_market_place_mirror PRIMARY KEY (id),
    CONSTRAINT ck_market_place_mirror_one CHECK (id = 1)
);
COMMENT ON TABLE market_place_mirror IS 'How far this DSO has read the directory of a Market Place elsewhere, and when';

CREATE TABLE company_name_part (
    part TEXT COLLATE "C" NOT NULL,
    description_id TEXT NOT NULL,
    CONSTRAINT pk_company_name_part PRIMARY KEY (part, description_id),
    CONSTRAINT fk_company_name_part_description_id FOREIGN KEY(description_id) REFERENCES market_player_description (id)
);
CREATE INDEX ix_company_name_part_description_id ON company_name_part (description_id);
COMMENT ON TABLE company_name_part IS 'Each ending of a company''s name in lower case: a part of a name is the beginning of one of them';

CREATE TABLE market_player_territory (
    description_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    country TEXT NOT NULL,
    city TEXT,
    pod_prefix TEXT,
    CONSTRAINT pk_market_player_territory PRIMARY KEY (description_id, number),
    CONSTRAINT fk_market_player_territory_description_id FOREIGN KEY(description_id) REFERENCES market_player_description (id)
);
CREATE INDEX ix_market_player_territory_country ON market_player_territory (country);
CREATE INDEX ix_market_player_territory_pod_prefix ON market_player_territory (pod_prefix text_pattern_ops);
COMMENT ON TABLE market_player_territory IS 'MPL-DES Territory, in its order: what DSO mapping looks in';

CREATE TABLE directory_reader (
    registration_id TEXT NOT NULL,
    pushed_until BIGINT NOT NULL,
    CONSTRAINT pk_directory_reader PRIMARY KEY (registration_id),
    CONSTRAINT fk_directory_reader_registration_id FOREIGN KEY(registration_id) REFERENCES market_player_registration (id)
);
COMMENT ON TABLE directory_reader IS 'Up to which change the directory was pushed to a registration';

CREATE TABLE publication (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    party_id TEXT NOT NULL,
    service_type TEXT NOT NULL,
    status TEXT NOT NULL,
    version INTEGER NOT NULL,
    published_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_publication PRIMARY KEY (id),
    CONSTRAINT ck_publication_kind CHECK (kind IN ('Offer', 'Subscription')),
    CONSTRAINT ck_publication_service_type CHECK (service_type IN ('IndividualDataProvision', 'AggregatedDataProvision', 'EnergyServiceProvision')),
    CONSTRAINT ck_publication_status CHECK (status IN ('Published', 'Withdrawn')),
    CONSTRAINT fk_publication_party_id FOREIGN KEY(party_id) REFERENCES market_player_registration (id)
);
CREATE INDEX ix_publication_kind_service_type_id ON publication (kind, service_type, id);
CREATE INDEX ix_publication_party_id_kind_id ON publication (party_id, kind, id);
COMMENT ON TABLE publication IS 'MKP-SRV-OFF (party_id is its Supplier) or MKP-SRV-SUB (its Requester), the latest version';

CREATE TABLE b2b_service_subscription_match (
    b2b_id TEXT NOT NULL,
    offer_id TEXT NOT NULL,
    offered_id TEXT NOT NULL,
    subscription_id TEXT NOT NULL,
    wanted_id TEXT NOT NULL,
    offer_version INTEGER NOT NULL,
    subscription_version INTEGER NOT NULL,
    CONSTRAINT pk_b2b_service_subscription_match PRIMARY KEY (b2b_id, offer_id, offered_id, subscription_id, wanted_id),
    CONSTRAINT fk_b2b_service_subscription_match_b2b_id FOREIGN KEY(b2b_id) REFERENCES b2b_service_subscription (id),
    CONSTRAINT fk_b2b_service_subscription_match_offer_id FOREIGN KEY(offer_id) REFERENCES publication (id),
    CONSTRAINT fk_b2b_service_subscription_match_offered_id FOREIGN KEY(offered_id) REFERENCES service_description (id),
    CONSTRAINT fk_b2b_service_subscription_match_subscription_id FOREIGN KEY(subscription_id) REFERENCES publication (id),
    CONSTRAINT fk_b2b_service_subscription_match_wanted_id FOREIGN KEY(wanted_id) REFERENCES service_description (id)
);
CREATE INDEX ix_b2b_service_subscription_match_offer_id ON b2b_service_subscription_match (offer_id);
CREATE INDEX ix_b2b_service_subscription_match_subscription_id ON b2b_service_subscription_match (subscription_id);
COMMENT ON TABLE b2b_service_subscription_match IS 'B2B-SRV-SUB: the offered and wanted descriptions that were matched, and in which versions';

CREATE TABLE publication_description (
    publication_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    description_id TEXT NOT NULL,
    by_reference BOOLEAN NOT NULL,
    CONSTRAINT pk_publication_description PRIMARY KEY (publication_id, number),
    CONSTRAINT fk_publication_description_publication_id FOREIGN KEY(publication_id) REFERENCES publication (id),
    CONSTRAINT fk_publication_description_description_id FOREIGN KEY(description_id) REFERENCES service_description (id)
);
CREATE INDEX ix_publication_description_description_id ON publication_description (description_id);
COMMENT ON TABLE publication_description IS 'ServiceDetails of an offer or subscription, in their order';

CREATE TABLE publication_key (
    key TEXT COLLATE "C" NOT NULL,
    kind TEXT NOT NULL,
    publication_id TEXT NOT NULL,
    description_id TEXT NOT NULL,
    CONSTRAINT pk_publication_key PRIMARY KEY (key, kind, publication_id, description_id),
    CONSTRAINT fk_publication_key_publication_id FOREIGN KEY(publication_id) REFERENCES publication (id),
    CONSTRAINT fk_publication_key_description_id FOREIGN KEY(description_id) REFERENCES service_description (id)
);
CREATE INDEX ix_publication_key_publication_id ON publication_key (publication_id);
COMMENT ON TABLE publication_key IS 'By which keys (domain/matching.py) the descriptions of what is Published are found';

ALTER TABLE market_player_authentication ADD COLUMN market_place_location_id TEXT;
ALTER TABLE market_player_authentication ADD CONSTRAINT fk_market_player_authentication_market_place_location_id FOREIGN KEY (market_place_location_id) REFERENCES market_place_location (id);
