SELECT json_group_array(json_object(
    'name', stream_name, 'has_parameters', json(iif(local_params = 'null', 'false', 'true')),
    'active', json(iif(active, 'true', 'false')), 'is_default', json(iif(is_default, 'true', 'false')),
    'has_explicit_subscription', json(iif(ttl IS NULL, 'false', 'true')), 'expires_at', expires_at,
    'last_synced_at', last_synced_at))
  FROM main.ps_stream_subscriptions
