package tokenizer

// trie finds the tokens that a text begins with: a hash table from a node and
// a byte to the node after it.
type trie struct {
	slots []trieSlot
	shift uint
	value []int32 // by node: the token that ends there, or -1
	used  int
}

type trieSlot struct {
	key  uint64 // node<<8 | byte, and 1<<63: taken
	node int32
}

const taken = 1 << 63

func newTrie() *trie {
	return &trie{slots: make([]trieSlot, 1<<8), shift: 64 - 8, value: []int32{-1}}
}

// next gives the node after a byte; 0, the root, if there is none.
func (t *trie) next(node int32, c byte) int32 {
	key := taken | uint64(node)<<8 | uint64(c)
	for i := key * fibHash >> t.shift; ; i++ {
		s := &t.slots[i&uint64(len(t.slots)-1)]
		if s.key == key {
			return s.node
		}
		if s.key == 0 {
			return 0
		}
	}
}

// walk gives the node that s leads to from a node; 0 if there is none.
func (t *trie) walk(node int32, s string) int32 {
	for i := range len(s) {
		if node = t.next(node, s[i]); node == 0 {
			return 0
		}
	}
	return node
}

func (t *trie) add(s string, id int32) {
	node := int32(0)
	for i := range len(s) {
		to := t.next(node, s[i])
		if to == 0 {
			to = int32(len(t.value))
			t.value = append(t.value, -1)
			t.insert(taken|uint64(node)<<8|uint64(s[i]), to)
		}
		node = to
	}
	t.value[node] = id
}

func (t *trie) insert(key uint64, node int32) {
	if 2*t.used >= len(t.slots) {
		old := t.slots
		t.slots = make([]trieSlot, 2*len(old))
		t.shift--
		t.used = 0
		for _, s := range old {
			if s.key != 0 {
				t.insert(s.key, s.node)
			}
		}
	}
	i := key * fibHash >> t.shift
	for t.slots[i&uint64(len(t.slots)-1)].key != 0 {
		i++
	}
	t.slots[i&uint64(len(t.slots)-1)] = trieSlot{key, node}
	t.used++
}
