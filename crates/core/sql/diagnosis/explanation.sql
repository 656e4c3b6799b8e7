SELECT json_object('type', ?1, 'id', ?2, 'table', iif(?3 IS NULL, NULL, json_object('name', ?3, 'kind', ?4)),
                   'shown', json(iif(json_valid(?5), ?5, 'null')), 'versions', json(?6), 'local', json(?7),
                   'rejected', json(?8), 'state', ?9, 'text', ?10)
