-- Bound late, so that the tables may be made again without the view.
CREATE OR REPLACE VIEW retail.sales_by_store AS
SELECT
    store.state,
    store.name                         AS store,
    calendar.year,
    calendar.month,
    SUM(sales.quantity)                AS pieces,
    SUM(sales.amount)                  AS revenue,
    NVL(SUM(CASE WHEN calendar.is_weekend THEN sales.amount END), 0) AS weekend_revenue
FROM retail.fact_sales AS sales
JOIN retail.dim_store AS store ON store.store_key = sales.store_key
JOIN retail.dim_date AS calendar ON calendar.date_key = sales.date_key
GROUP BY store.state, store.name, calendar.year, calendar.month
WITH NO SCHEMA BINDING;
