namespace Tidegate.Policies.Cache;

/// <summary>Answers by key, those of one key the newest first. The links are in the answers, and one costs 8 to 16 bytes here.</summary>
internal sealed class AnswerIndex
{
    private const int FirstPlaces = 16;

    private StoredAnswer?[] _places = [];

    public int Count { get; private set; }

    /// <summary>The newest of a key; null when there is none.</summary>
    public StoredAnswer? First(UInt128 key) => _places.Length == 0 ? null : OfKey(_places[Place(key, _places.Length)], key);

    /// <summary>The next of the same key.</summary>
    public static StoredAnswer? NextVariant(StoredAnswer answer) => OfKey(answer.Next, answer.Key);

    /// <summary>Adds one in front of the others of its key.</summary>
    public void Add(StoredAnswer answer)
    {
        if (Count == _places.Length)
        {
            Grow();
        }

        ref var place = ref _places[Place(answer.Key, _places.Length)];
        answer.Next = place;
        place = answer;
        Count++;
    }

    /// <summary>Takes out one that is in it.</summary>
    public void Remove(StoredAnswer answer)
    {
        ref var place = ref _places[Place(answer.Key, _places.Length)];
        if (place == answer)
        {
            place = answer.Next;
        }
        else
        {
            var before = place!;
            while (before.Next != answer)
            {
                before = before.Next!;
            }

            before.Next = answer.Next;
        }

        answer.Next = null;
        Count--;
    }

    // The low bits have chosen the shard.
    private static int Place(UInt128 key, int places) => (int)(key >> 64) & (places - 1);

    private static StoredAnswer? OfKey(StoredAnswer? answer, UInt128 key)
    {
        while (answer is not null && answer.Key != key)
        {
            answer = answer.Next;
        }

        return answer;
    }

    /// <summary>Twice as many places. Each one's answers go to two, in the order that they have.</summary>
    private void Grow()
    {
        if (_places.Length == 0)
        {
            _places = new StoredAnswer?[FirstPlaces];
            return;
        }

        var places = new StoredAnswer?[_places.Length * 2];
        for (var i = 0; i < _places.Length; i++)
        {
            StoredAnswer? low = null, high = null;
            for (var answer = _places[i]; answer is not null;)
            {
                var next = answer.Next;
                answer.Next = null;
                ref var last = ref low;
                if (Place(answer.Key, places.Length) != i)
                {
                    last = ref high;
                }

                if (last is null)
                {
                    places[Place(answer.Key, places.Length)] = answer;
                }
                else
                {
                    last.Next = answer;
                }

                last = answer;
                answer = next;
            }
        }

        _places = places;
    }
}
