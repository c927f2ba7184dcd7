package identitystore_test

import (
	"testing"

	"github.com/hufu-id/hufu/federation/identity/identitytest"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/identitystore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
)

func TestContract(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) { identitytest.Run(t, identitystore.New(db)) })
}
