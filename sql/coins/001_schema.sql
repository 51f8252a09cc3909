-- What the ingestion reads from the market and the lake is fed with.

CREATE SCHEMA IF NOT EXISTS market;

CREATE TABLE IF NOT EXISTS market.coins (
    id              integer PRIMARY KEY,
    name            text           NOT NULL,
    symbol          text           NOT NULL,
    date_added      date           NOT NULL,
    max_supply      numeric(30, 0),
    price_usd       numeric(24, 10) NOT NULL CHECK (price_usd >= 0),
    volume_24h_usd  numeric(24, 2) NOT NULL,
    market_cap_usd  numeric(24, 2) NOT NULL,
    last_updated    timestamptz    NOT NULL
);

COMMENT ON TABLE market.coins IS 'Coins with their last price; a moeda e o seu último preço';

CREATE INDEX IF NOT EXISTS coins_by_symbol ON market.coins (symbol);
