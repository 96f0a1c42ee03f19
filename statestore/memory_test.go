package statestore_test

import (
	"testing"

	"github.com/weirstream/weir/statestore"
	"github.com/weirstream/weir/statestore/storetest"
)

func TestMemoryKeepsContract(t *testing.T) {
	storetest.TestStore(t, func(*testing.T) statestore.Store { return statestore.NewMemory() })
}
