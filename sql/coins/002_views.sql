CREATE OR REPLACE VIEW market.largest_coins AS
SELECT id, name, symbol, price_usd, market_cap_usd
FROM market.coins
ORDER BY market_cap_usd DESC
LIMIT 100;
