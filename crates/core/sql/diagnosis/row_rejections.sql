SELECT json_group_array(json_object('transaction_id', CAST(transaction_id AS TEXT), 'code', code, 'message', message))
  FROM main.powersync_rejected WHERE type = ?1 AND id = ?2
