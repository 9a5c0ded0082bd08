namespace Tidegate.Transport;

/// <summary>Something with a descriptor that a reactor watches.</summary>
internal abstract class Watched
{
    /// <summary>Names it in readiness events: a place in the reactor's table and a count of its uses, so that an event for a closed one is never taken for its successor's.</summary>
    public ulong Watch { get; set; }

    /// <summary>On the reactor: the descriptor's readiness has changed.</summary>
    public abstract void OnEvents(uint events);

    /// <summary>On the reactor: its last turn is near, so close.</summary>
    public abstract void OnReactorEnding();
}

/// <summary>Everything that one reactor watches.</summary>
internal sealed class WatchedTable
{
    private readonly List<Watched?> _places = [];
    private readonly List<uint> _uses = [];
    private readonly Stack<int> _free = new();

    public IEnumerable<Watched> All => _places.OfType<Watched>();

    public void Add(Watched watched)
    {
        if (!_free.TryPop(out var place))
        {
            place = _places.Count;
            _places.Add(null);
            _uses.Add(0);
        }

        _places[place] = watched;
        watched.Watch = ((ulong)++_uses[place] << 32) | (uint)place;
    }

    public void Remove(Watched watched)
    {
        var place = (int)(uint)watched.Watch;
        _places[place] = null;
        _free.Push(place);
    }

    /// <summary>Null when it is not watched any more.</summary>
    public Watched? Find(ulong watch)
    {
        var found = _places[(int)(uint)watch];
        return found?.Watch == watch ? found : null;
    }
}
