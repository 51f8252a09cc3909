-- The first week of the year. Larger loads come from S3:
--   COPY retail.fact_sales FROM 's3://…/sales/' IAM_ROLE default FORMAT PARQUET;
INSERT INTO retail.dim_date (date_key, day, month, quarter, year, is_weekend) VALUES
    (20260105, '2026-01-05', 1, 1, 2026, FALSE),
    (20260106, '2026-01-06', 1, 1, 2026, FALSE),
    (20260107, '2026-01-07', 1, 1, 2026, FALSE),
    (20260110, '2026-01-10', 1, 1, 2026, TRUE);

INSERT INTO retail.dim_store (store_key, name, city, state) VALUES
    (1, 'Paulista', 'São Paulo', 'SP'),
    (2, 'Copacabana', 'Rio de Janeiro', 'RJ'),
    (3, 'Savassi', 'Belo Horizonte', 'MG');

INSERT INTO retail.dim_product (product_key, name, category, price, description) VALUES
    (1, 'Coffee, 500 g', 'grocery', 24.90, 'Roasted in Minas; it''s best fresh'),
    (2, 'Kettle', 'kitchen', 189.00, NULL),
    (3, 'Mug', 'kitchen', 35.50, NULL);

INSERT INTO retail.dim_customer (customer_key, name, segment, since) VALUES
    (1, 'Ana', 'regular', '2024-03-01'),
    (2, 'Bruno', 'new', '2025-11-20'),
    (3, 'Clara', 'regular', '2023-07-14');

INSERT INTO retail.fact_sales (date_key, store_key, product_key, customer_key, quantity, amount) VALUES
    (20260105, 1, 1, 1, 2, 49.80),
    (20260105, 1, 3, 2, 1, 35.50),
    (20260106, 2, 2, 3, 1, 189.00),
    (20260107, 3, 1, 1, 1, 24.90),
    (20260110, 2, 3, 3, 4, 142.00);
