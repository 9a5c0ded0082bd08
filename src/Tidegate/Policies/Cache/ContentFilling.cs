using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Policies.Cache;

/// <summary>What content takes while it comes, and for as long as it is not kept.</summary>
internal sealed class ContentFilling
{
    /// <summary>For how much will come.</summary>
    public const long Unknown = -1;

    private volatile bool _isComplete;
    private volatile bool _isKept = true;
    private long _total;

    public Lock Gate { get; } = new();

    public AnswerStore? Store { get; init; }

    public UInt128 Key { get; init; }

    /// <summary>Bytes in all, or <see cref="Unknown"/>.</summary>
    public long Total { get => Interlocked.Read(ref _total); set => Interlocked.Exchange(ref _total, value); }

    /// <summary>What is there, in pieces: empty where it goes to the end of <see cref="Packed"/>.</summary>
    public byte[][] Pieces { get; set; } = [];

    /// <summary>An array whose end is kept for content of the announced length.</summary>
    public byte[]? Packed
    {
        get;
        set
        {
            field = value;
            PackedStart = value is null ? 0 : value.Length - Total;
        }
    }

    public long PackedStart { get; private set; }

    /// <summary>False once it is only a window.</summary>
    public bool IsKept { get => _isKept; set => _isKept = value; }

    /// <summary>Bytes of the store's room that it takes.</summary>
    public long Held { get; set; }

    /// <summary>Everything has come, and is not kept.</summary>
    public bool IsComplete { get => _isComplete; set => _isComplete = value; }

    public HeaderList? Trailers { get; set; }

    public List<ContentReader> Readers { get; } = [];

    /// <summary>Whoever fills waits here for the readers.</summary>
    public HomeSignal? Filler { get; set; }

    /// <summary>Why there will be no more.</summary>
    public Failure? Failure { get; set; }

    public long Slowest()
    {
        var slowest = long.MaxValue;
        foreach (var reader in Readers)
        {
            slowest = Math.Min(slowest, reader.Position);
        }

        return slowest;
    }

    public long Fastest()
    {
        var fastest = 0L;
        foreach (var reader in Readers)
        {
            fastest = Math.Max(fastest, reader.Position);
        }

        return fastest;
    }

    public void Wake()
    {
        foreach (var reader in Readers)
        {
            reader.Signal.Set();
        }
    }

    /// <summary>Tells whoever has read it while it came that it has ended.</summary>
    public void TellEnd()
    {
        foreach (var reader in Readers)
        {
            reader.EndIsKnown(this);
            reader.Signal.Set();
        }
    }
}
