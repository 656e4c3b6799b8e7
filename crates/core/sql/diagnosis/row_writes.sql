-- Local writes of row ?2 of type ?1.
SELECT json_group_array(json_object(
    'entry_id', CAST(id AS TEXT), 'transaction_id', CAST(coalesce(tx_id, -id) AS TEXT), 'op', entry ->> '$.op',
    'data', entry -> '$.data', 'old', entry -> '$.old'))
  FROM (SELECT id, tx_id, iif(json_valid(data), data, '{}') AS entry FROM main.ps_crud ORDER BY id)
 WHERE entry ->> '$.type' = ?1 AND entry ->> '$.id' = ?2
