-- Structure and first data of the cooperative's core: who is associated, with which account, with
-- which card, and what was paid with it. Runs once; lagoa records it beside the data.

DROP VIEW IF EXISTS movimentacao_conta;
DROP TABLE IF EXISTS movimento;
DROP TABLE IF EXISTS cartao;
DROP TABLE IF EXISTS conta;
DROP TABLE IF EXISTS associado;

CREATE TABLE associado (
  id        INT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'Identificação do associado',
  nome      VARCHAR(100) NOT NULL COMMENT 'Primeiro nome',
  sobrenome VARCHAR(100) NOT NULL COMMENT 'Sobrenome, sem abreviações',
  idade     TINYINT UNSIGNED NOT NULL COMMENT 'Idade em anos na adesão',
  email     VARCHAR(160) NOT NULL COMMENT 'Endereço eletrônico para notificações',
  PRIMARY KEY (id),
  UNIQUE KEY associado_email (email),
  CONSTRAINT associado_idade CHECK (idade >= 16)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COMMENT = 'Associados da cooperativa';

CREATE TABLE conta (
  id           INT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'Número da conta',
  tipo         VARCHAR(20) NOT NULL COMMENT 'Corrente, poupança ou salário',
  data_criacao DATETIME NOT NULL COMMENT 'Quando a conta começou',
  id_associado INT UNSIGNED NOT NULL COMMENT 'Titular da conta',
  PRIMARY KEY (id),
  CONSTRAINT conta_tipo CHECK (tipo IN ('corrente', 'poupança', 'salário')),
  CONSTRAINT conta_associado FOREIGN KEY (id_associado) REFERENCES associado (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COMMENT = 'Contas; um associado pode ter várias';

CREATE TABLE cartao (
  id            INT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'Identificação do cartão',
  num_cartao    CHAR(16) NOT NULL COMMENT 'Número impresso, fictício',
  nome_impresso VARCHAR(60) NOT NULL COMMENT 'Nome como está no cartão',
  data_criacao  DATETIME NOT NULL COMMENT 'Quando o cartão foi emitido',
  id_conta      INT UNSIGNED NOT NULL COMMENT 'Conta que o cartão debita',
  PRIMARY KEY (id),
  UNIQUE KEY cartao_numero (num_cartao),
  CONSTRAINT cartao_numero_valido CHECK (CHAR_LENGTH(num_cartao) = 16),
  CONSTRAINT cartao_conta FOREIGN KEY (id_conta) REFERENCES conta (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COMMENT = 'Cartões de crédito e débito';

CREATE TABLE movimento (
  id               BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'Identificação da transação',
  valor            DECIMAL(10, 2) NOT NULL COMMENT 'Valor em reais, sempre positivo',
  descricao        VARCHAR(140) NOT NULL COMMENT 'Descrição que aparece na fatura',
  data_movimento   DATETIME NOT NULL COMMENT 'Quando a transação ocorreu',
  id_cartao        INT UNSIGNED NOT NULL COMMENT 'Cartão que pagou',
  PRIMARY KEY (id),
  KEY movimento_data (data_movimento),
  CONSTRAINT movimento_valor CHECK (valor > 0),
  CONSTRAINT movimento_cartao FOREIGN KEY (id_cartao) REFERENCES cartao (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COMMENT = 'Movimentação dos cartões';

INSERT INTO associado (id, nome, sobrenome, idade, email) VALUES (1, 'João', 'Conceição', 34, 'joao.conceicao@example.com');
INSERT INTO associado (id, nome, sobrenome, idade, email) VALUES (2, 'Antônia', 'Araújo', 52, 'antonia.araujo@example.com');
INSERT INTO associado (id, nome, sobrenome, idade, email) VALUES (3, 'Márcio', 'Gonçalves', 27, 'marcio.goncalves@example.com');
INSERT INTO associado (id, nome, sobrenome, idade, email) VALUES (4, 'Lúcia', 'D''Ávila', 41, 'lucia.davila@example.com');

INSERT INTO conta (id, tipo, data_criacao, id_associado) VALUES (101, 'corrente', '2019-03-11 09:15:00', 1);
INSERT INTO conta (id, tipo, data_criacao, id_associado) VALUES (102, 'poupança', '2015-08-02 14:40:00', 2);
INSERT INTO conta (id, tipo, data_criacao, id_associado) VALUES (103, 'salário', '2021-01-25 10:05:00', 3);
INSERT INTO conta (id, tipo, data_criacao, id_associado) VALUES (104, 'corrente', '2020-11-30 16:20:00', 4);

INSERT INTO cartao (id, num_cartao, nome_impresso, data_criacao, id_conta) VALUES (201, '4000000000000101', 'JOAO CONCEICAO', '2019-03-20 11:00:00', 101);
INSERT INTO cartao (id, num_cartao, nome_impresso, data_criacao, id_conta) VALUES (202, '4000000000000102', 'ANTONIA ARAUJO', '2016-02-14 09:30:00', 102);
INSERT INTO cartao (id, num_cartao, nome_impresso, data_criacao, id_conta) VALUES (203, '4000000000000103', 'MARCIO GONCALVES', '2021-02-01 13:45:00', 103);
INSERT INTO cartao (id, num_cartao, nome_impresso, data_criacao, id_conta) VALUES (204, '4000000000000104', 'LUCIA D AVILA', '2020-12-10 15:10:00', 104);

INSERT INTO movimento (id, valor, descricao, data_movimento, id_cartao) VALUES (1, 187.35, 'Supermercado São José', '2021-09-01 18:22:10', 201);
INSERT INTO movimento (id, valor, descricao, data_movimento, id_cartao) VALUES (2, 42.00, 'Padaria do Açude; pão e café', '2021-09-02 07:41:55', 201);
INSERT INTO movimento (id, valor, descricao, data_movimento, id_cartao) VALUES (3, 1299.90, 'Fogão, em três vezes', '2021-09-03 15:05:31', 202);
INSERT INTO movimento (id, valor, descricao, data_movimento, id_cartao) VALUES (4, 89.90, 'Farmácia Saúde', '2021-09-04 20:13:02', 202);
INSERT INTO movimento (id, valor, descricao, data_movimento, id_cartao) VALUES (5, 250.00, 'Manutenção da bicicleta', '2021-09-05 11:30:47', 203);
INSERT INTO movimento (id, valor, descricao, data_movimento, id_cartao) VALUES (6, 15.50, 'Ônibus', '2021-09-06 06:58:19', 203);
INSERT INTO movimento (id, valor, descricao, data_movimento, id_cartao) VALUES (7, 640.75, 'Material de construção', '2021-09-07 10:02:36', 204);
INSERT INTO movimento (id, valor, descricao, data_movimento, id_cartao) VALUES (8, 33.20, 'Livraria: "Grande Sertão"', '2021-09-08 17:44:08', 204);

-- What the Spark job reads.
CREATE OR REPLACE VIEW movimentacao_conta AS
SELECT
  associado.nome          AS nome_associado,
  associado.sobrenome     AS sobrenome_associado,
  associado.idade         AS idade_associado,
  movimento.valor         AS vlr_transacao_movimento,
  movimento.descricao     AS des_transacao_movimento,
  movimento.data_movimento,
  cartao.num_cartao       AS numero_cartao,
  cartao.nome_impresso    AS nome_impresso_cartao,
  cartao.data_criacao     AS data_criacao_cartao,
  conta.tipo              AS tipo_conta,
  conta.data_criacao      AS data_criacao_conta
FROM movimento
JOIN cartao ON cartao.id = movimento.id_cartao
JOIN conta ON conta.id = cartao.id_conta
JOIN associado ON associado.id = conta.id_associado;
