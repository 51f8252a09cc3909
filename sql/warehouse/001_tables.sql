-- A star schema: what was sold, to whom, where and when.
CREATE SCHEMA IF NOT EXISTS retail;

-- Small tables go to every node, so that joins need no network.
CREATE TABLE IF NOT EXISTS retail.dim_date (
    date_key   INTEGER     NOT NULL PRIMARY KEY SORTKEY,
    day        DATE        NOT NULL,
    month      SMALLINT    NOT NULL,
    quarter    SMALLINT    NOT NULL,
    year       SMALLINT    NOT NULL,
    is_weekend BOOLEAN     NOT NULL DEFAULT FALSE
) DISTSTYLE ALL;

CREATE TABLE IF NOT EXISTS retail.dim_store (
    store_key  INTEGER     NOT NULL PRIMARY KEY,
    name       VARCHAR(80) NOT NULL ENCODE zstd,
    city       VARCHAR(80) NOT NULL ENCODE zstd,
    state      CHAR(2)     NOT NULL ENCODE bytedict
) DISTSTYLE ALL;

CREATE TABLE IF NOT EXISTS retail.dim_product (
    product_key INTEGER       NOT NULL PRIMARY KEY,
    name        VARCHAR(120)  NOT NULL ENCODE zstd,
    category    VARCHAR(40)   NOT NULL ENCODE bytedict,
    price       NUMERIC(10,2) NOT NULL,
    description VARCHAR(MAX)
) DISTSTYLE ALL;

CREATE TABLE IF NOT EXISTS retail.dim_customer (
    customer_key INTEGER     NOT NULL PRIMARY KEY DISTKEY,
    name         VARCHAR(80) NOT NULL ENCODE zstd,
    segment      VARCHAR(20) NOT NULL ENCODE bytedict,
    since        DATE        NOT NULL
);

-- The large table lies where its customers lie, in the order of time.
CREATE TABLE IF NOT EXISTS retail.fact_sales (
    sale_key     BIGINT        NOT NULL IDENTITY(1, 1),
    date_key     INTEGER       NOT NULL REFERENCES retail.dim_date (date_key),
    store_key    INTEGER       NOT NULL REFERENCES retail.dim_store (store_key),
    product_key  INTEGER       NOT NULL REFERENCES retail.dim_product (product_key),
    customer_key INTEGER       NOT NULL REFERENCES retail.dim_customer (customer_key),
    quantity     SMALLINT      NOT NULL,
    amount       NUMERIC(12,2) NOT NULL,
    loaded_at    TIMESTAMP     NOT NULL DEFAULT GETDATE()
)
DISTSTYLE KEY
DISTKEY (customer_key)
COMPOUND SORTKEY (date_key, store_key);
