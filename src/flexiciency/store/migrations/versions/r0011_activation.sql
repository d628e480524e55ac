-- Revision 0011: activations by USP-REQ and by hand, with the reason's text; selections of data.

ALTER TABLE activation ADD COLUMN kind TEXT DEFAULT 'DSO-REQ' NOT NULL;
ALTER TABLE activation ADD COLUMN reason_text TEXT;
ALTER TABLE activation ADD COLUMN selection_id TEXT;
ALTER TABLE activation ADD CONSTRAINT ck_activation_kind CHECK (kind IN ('DSO-REQ', 'USP-REQ'));
COMMENT ON TABLE activation IS 'DSO-REQ or USP-REQ (id) and its DSO-CNF or USP-CNF (confirmation_id); once Stopped, the reason is that of the stop, if one was given';

CREATE TABLE selection (
    id TEXT NOT NULL,
    requester_id TEXT NOT NULL,
    service_description_id TEXT NOT NULL,
    aggregated BOOLEAN NOT NULL,
    aggregation_level TEXT,
    aggregation_method TEXT,
    quantity TEXT NOT NULL,
    time_step TEXT NOT NULL,
    period TSTZRANGE NOT NULL,
    localization JSONB NOT NULL,
    encoding TEXT,
    asked JSONB,
    selected_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_selection PRIMARY KEY (id),
    CONSTRAINT fk_selection_requester_id FOREIGN KEY(requester_id) REFERENCES market_player_registration (id),
    CONSTRAINT fk_selection_service_description_id FOREIGN KEY(service_description_id) REFERENCES service_description (id)
);
COMMENT ON TABLE selection IS 'IND-DAT-SEL or AGG-DAT-SEL as it is served, localization by element name; asked: what was asked for instead, where that was more';
CREATE INDEX ix_selection_requester_id ON selection (requester_id);
