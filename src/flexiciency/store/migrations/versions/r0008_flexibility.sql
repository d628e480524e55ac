CREATE TABLE load_area (
    code TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    name TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    CONSTRAINT pk_load_area PRIMARY KEY (code)
);
COMMENT ON TABLE load_area IS 'Load areas of this DSO; the zone is that of its times of day';

CREATE TABLE load_area_headroom (
    load_area TEXT NOT NULL,
    party TEXT NOT NULL,
    first_minute INTEGER NOT NULL,
    until_minute INTEGER NOT NULL,
    import_kw NUMERIC(18, 3) NOT NULL,
    export_kw NUMERIC(18, 3) NOT NULL,
    limiting_element TEXT NOT NULL,
    CONSTRAINT pk_load_area_headroom PRIMARY KEY (load_area, party, first_minute),
    CONSTRAINT ck_load_area_headroom_party CHECK (party IN ('DSO', 'TSO')),
    CONSTRAINT ck_load_area_headroom_minutes CHECK (0 <= first_minute AND first_minute < until_minute AND until_minute <= 1440),
    CONSTRAINT fk_load_area_headroom_load_area FOREIGN KEY(load_area) REFERENCES load_area (code)
);
COMMENT ON TABLE load_area_headroom IS 'What DSO and TSO allow each day in [first, until), minutes of the local day; negative: violated already';

CREATE TABLE technical_validation (
    id TEXT NOT NULL,
    response_id TEXT NOT NULL,
    requester_id TEXT NOT NULL,
    load_area TEXT NOT NULL,
    start_at TIMESTAMP WITH TIME ZONE NOT NULL,
    end_at TIMESTAMP WITH TIME ZONE NOT NULL,
    times TIMESTAMP WITH TIME ZONE[] NOT NULL,
    powers_kw NUMERIC(21, 3)[] NOT NULL,
    dso_factor NUMERIC(7, 6) NOT NULL,
    tso_factor NUMERIC(7, 6) NOT NULL,
    limiting_element TEXT,
    reason_code TEXT,
    reason_text TEXT,
    answered_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_technical_validation PRIMARY KEY (id),
    CONSTRAINT fk_technical_validation_requester_id FOREIGN KEY(requester_id) REFERENCES market_player_registration (id)
);
COMMENT ON TABLE technical_validation IS 'TECH-FLEX-REQ with its TECH-FLEX-RESP; the load area is what was asked, known or not';
