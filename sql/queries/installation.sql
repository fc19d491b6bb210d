-- name: id
SELECT id FROM installation;
