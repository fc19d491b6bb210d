-- name: id
SELECT id FROM installation;

-- name: secret
SELECT secret FROM installation;
