COMMENT ON TABLE delivery_pod IS 'IND-DAT-VAL by PoD, the consents that released its values, and what IND-DAT-ACK said of it; of AGG-DAT-VAL, the PoDs behind it';

CREATE TABLE delivery_aggregate (
    delivery_id UUID NOT NULL,
    aggregation_id TEXT NOT NULL,
    value_count INTEGER NOT NULL,
    pods INTEGER NOT NULL,
    status TEXT,
    reason_code TEXT,
    CONSTRAINT pk_delivery_aggregate PRIMARY KEY (delivery_id, aggregation_id),
    CONSTRAINT ck_delivery_aggregate_status CHECK (status IN ('OK', 'KO')),
    CONSTRAINT fk_delivery_aggregate_delivery_id FOREIGN KEY(delivery_id) REFERENCES delivery (id)
);
COMMENT ON TABLE delivery_aggregate IS 'AGG-DAT-VAL by aggregate, the number of PoDs behind it, and what AGG-DAT-ACK said of it';

CREATE TABLE aggregate_served (
    requester_id TEXT NOT NULL,
    group_hash BYTEA NOT NULL,
    pods TEXT[] NOT NULL,
    served TSTZMULTIRANGE NOT NULL,
    CONSTRAINT pk_aggregate_served PRIMARY KEY (requester_id, group_hash),
    CONSTRAINT fk_aggregate_served_requester_id FOREIGN KEY(requester_id) REFERENCES market_player_registration (id)
);
COMMENT ON TABLE aggregate_served IS 'Decision 10: the groups of PoDs whose aggregates a requester was served, and for which intervals';
