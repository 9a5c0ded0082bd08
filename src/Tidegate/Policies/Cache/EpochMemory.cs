namespace Tidegate.Policies.Cache;

/// <summary>Where the epochs of purges are: in arrays that the first purge makes, or in a file that outlives the process.</summary>
internal sealed unsafe class EpochMemory
{
    // 2 MB each for invalidations and hard purges: at a thousand POSTs to different URLs in each second, a bystander is invalidated after some five minutes.
    private const int HardPlaces = 2 * 128 * 1024;
    private const int SoftPlaces = 2 * 16 * 1024;

    // An operator purges a few. The oldest is dropped for everything that is older than it, so that none is forgotten.
    private const int MaxPrefixes = 256;
    private const int SlotBytes = 1024;
    private const int SlotHeadBytes = 16;
    private const int CountersBytes = 64;

    /// <summary>In a file.</summary>
    public const int Bytes = CountersBytes + (MaxPrefixes * SlotBytes) + ((HardPlaces + SoftPlaces) * sizeof(long));

    private readonly byte* _file;
    private long[]? _hard;
    private long[]? _soft;
    private long _current;
    private long _floor;
    private EpochPrefix[] _prefixes = [];

    public EpochMemory()
    {
    }

    /// <param name="file">So many bytes, mapped.</param>
    public EpochMemory(byte* file)
    {
        _file = file;
        var found = new List<EpochPrefix>();
        for (var i = 0; i < MaxPrefixes; i++)
        {
            var slot = Slot(i);
            if (*(long*)slot > 0)
            {
                found.Add(new EpochPrefix(System.Text.Encoding.UTF8.GetString(slot + SlotHeadBytes, Math.Clamp(*(int*)(slot + 8), 0, SlotBytes - SlotHeadBytes)), *(long*)slot, slot[12] == 1));
            }
        }

        _prefixes = [.. found.OrderBy(static prefix => prefix.Epoch)];
    }

    /// <summary>Held by who purges: one purge is over before the next begins. Nobody who looks holds it.</summary>
    public Lock Gate { get; } = new();

    /// <summary>Counts up with every purge.</summary>
    public ref long Current => ref _file is null ? ref _current : ref *(long*)_file;

    /// <summary>Everything older is purged.</summary>
    public ref long Floor => ref _file is null ? ref _floor : ref *(long*)(_file + 8);

    public EpochPrefix[] Prefixes => Volatile.Read(ref _prefixes);

    /// <summary>The places; none before the first purge.</summary>
    public Span<long> Places(bool isSoft)
    {
        if (_file is not null)
        {
            var hard = (long*)(_file + CountersBytes + (MaxPrefixes * SlotBytes));
            return isSoft ? new Span<long>(hard + HardPlaces, SoftPlaces) : new Span<long>(hard, HardPlaces);
        }

        return Volatile.Read(ref isSoft ? ref _soft : ref _hard);
    }

    /// <summary>The places, made when there are none.</summary>
    public Span<long> PlacesToWrite(bool isSoft)
    {
        if (_file is null)
        {
            LazyInitializer.EnsureInitialized(ref isSoft ? ref _soft : ref _hard, isSoft ? static () => new long[SoftPlaces] : static () => new long[HardPlaces]);
        }

        return Places(isSoft);
    }

    /// <summary>Adds a prefix in an epoch of its own.</summary>
    public void AddPrefix(string text, bool isSoft)
    {
        // Cut short it purges more, and that is right too.
        var bytes = System.Text.Encoding.UTF8.GetBytes(text);
        if (bytes.Length > SlotBytes - SlotHeadBytes)
        {
            bytes = bytes[..(SlotBytes - SlotHeadBytes)];
            text = System.Text.Encoding.UTF8.GetString(bytes).TrimEnd('\uFFFD');
            bytes = System.Text.Encoding.UTF8.GetBytes(text);
        }

        lock (Gate)
        {
            var epoch = Interlocked.Increment(ref Current);
            if (_prefixes.Length == MaxPrefixes)
            {
                Volatile.Write(ref Floor, _prefixes[0].Epoch);
                _prefixes = _prefixes[1..];
            }

            if (_file is not null)
            {
                Write(bytes, epoch, isSoft);
            }

            Volatile.Write(ref _prefixes, [.. _prefixes, new EpochPrefix(text, epoch, isSoft)]);
            Interlocked.Increment(ref Current);
        }
    }

    /// <summary>Into the slot of the oldest. The epoch is written last: without it a slot is none.</summary>
    private void Write(ReadOnlySpan<byte> text, long epoch, bool isSoft)
    {
        var slot = Slot(0);
        for (var i = 1; i < MaxPrefixes && *(long*)slot > 0; i++)
        {
            if (*(long*)Slot(i) < *(long*)slot)
            {
                slot = Slot(i);
            }
        }

        Volatile.Write(ref *(long*)slot, 0);
        *(int*)(slot + 8) = text.Length;
        slot[12] = isSoft ? (byte)1 : (byte)0;
        text.CopyTo(new Span<byte>(slot + SlotHeadBytes, SlotBytes - SlotHeadBytes));
        Volatile.Write(ref *(long*)slot, epoch);
    }

    private byte* Slot(int index) => _file + CountersBytes + (index * SlotBytes);
}

/// <summary>A purge of every URL that begins so.</summary>
internal sealed record EpochPrefix(string Text, long Epoch, bool IsSoft);
