using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>
/// An answer's content: filled once, read by any number of readers while it fills and after. Content that turns out to be too large to keep goes on as a
/// window that moves with the slowest reader.
/// </summary>
internal sealed class StoredContent
{
    /// <summary>Below what the garbage collector treats as large.</summary>
    public const int PieceBytes = 32 * 1024;

    /// <summary>How far the upstream may be ahead of the slowest reader, once content is not kept: some round trips' worth.</summary>
    private const long WindowBytes = 256 * 1024;

    private const int FirstPieceBytes = 1024;
    private const long Unknown = -1;

    private byte[][] _pieces = [];
    private long _length;
    private long _total = Unknown;

    // What only matters while it fills: a million stored answers do without it.
    private volatile Filling? _filling = new();

    /// <summary>Bytes in all, once known.</summary>
    public long? TotalLength
    {
        get => Volatile.Read(ref _total) is var total && total == Unknown ? null : total;
        init => _total = value ?? Unknown;
    }

    /// <summary>Everything is there.</summary>
    public bool IsComplete => _filling is null;

    /// <summary>Bytes so far.</summary>
    public long Length => Interlocked.Read(ref _length);

    /// <summary>False once it is only a window: nobody may begin to read it.</summary>
    public bool IsKept { get; private set; } = true;

    /// <summary>Adds bytes and wakes whoever waits for them.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        var filling = _filling!;
        lock (filling.Gate)
        {
            while (!bytes.IsEmpty)
            {
                var (index, offset) = ((int)(_length / PieceBytes), (int)(_length % PieceBytes));
                var piece = Piece(index, offset + bytes.Length);
                var count = Math.Min(bytes.Length, piece.Length - offset);
                bytes[..count].CopyTo(piece.AsSpan(offset));
                bytes = bytes[count..];
                Interlocked.Add(ref _length, count);
            }

            filling.Wake();
        }
    }

    /// <summary>Nothing more comes. Spare room is given back.</summary>
    public void Complete()
    {
        var filling = _filling!;
        lock (filling.Gate)
        {
            if (IsKept && _pieces.Length > 0)
            {
                var used = (int)((_length + PieceBytes - 1) / PieceBytes);
                Array.Resize(ref _pieces, used);
                var last = (int)(_length - ((long)(used - 1) * PieceBytes));
                if (used > 0 && _pieces[used - 1].Length != last)
                {
                    Array.Resize(ref _pieces[used - 1], last);
                }
            }

            Volatile.Write(ref _total, _length);
            _filling = null;
            filling.Wake();
        }
    }

    /// <summary>The rest will not come.</summary>
    public void Fail(Failure failure)
    {
        var filling = _filling!;
        lock (filling.Gate)
        {
            filling.Failure = failure;
            filling.Wake();
        }
    }

    /// <summary>From now on what every reader has read is let go.</summary>
    public void BecomeWindow()
    {
        var filling = _filling!;
        lock (filling.Gate)
        {
            IsKept = false;
            Release(filling);
        }
    }

    /// <summary>Waits until the slowest reader has caught up. Only for a window.</summary>
    public ValueTask WaitForRoomAsync()
    {
        var filling = _filling!;
        lock (filling.Gate)
        {
            return IsKept || filling.Readers.Count == 0 || _length - filling.Slowest() < WindowBytes ? default : (filling.Filler ??= new HomeSignal()).WaitAsync();
        }
    }

    /// <summary>A reader begins; false when it comes too late for that.</summary>
    public bool TryJoin(ContentReader reader)
    {
        if (_filling is not { } filling)
        {
            return IsKept;
        }

        lock (filling.Gate)
        {
            if (!IsKept || filling.Failure is not null)
            {
                return false;
            }

            filling.Readers.Add(reader);
            return true;
        }
    }

    /// <summary>A reader is done.</summary>
    public void Leave(ContentReader reader)
    {
        if (_filling is { } filling)
        {
            lock (filling.Gate)
            {
                if (filling.Readers.Remove(reader))
                {
                    MoveWindow(filling);
                }
            }
        }
    }

    /// <summary>Copies what is there behind an offset.</summary>
    /// <returns>0 when nothing is there yet; the reader is woken when there is.</returns>
    /// <exception cref="MessageBodyException">Nothing more will come.</exception>
    public int Read(ContentReader reader, long offset, Span<byte> into)
    {
        if (_filling is not { } filling)
        {
            // Nothing changes any more; a window's last pieces are still what its readers need.
            return Copy(offset, into);
        }

        lock (filling.Gate)
        {
            if (offset < _length)
            {
                var count = Copy(offset, into);
                reader.Position = offset + count;
                MoveWindow(filling);
                return count;
            }

            return filling.Failure is { } failure ? throw new MessageBodyException(failure) : 0;
        }
    }

    private int Copy(long offset, Span<byte> into)
    {
        if (offset >= _length)
        {
            return 0;
        }

        var (index, start) = ((int)(offset / PieceBytes), (int)(offset % PieceBytes));
        var count = Math.Min((int)Math.Min(PieceBytes - start, _length - offset), into.Length);
        _pieces[index].AsSpan(start, count).CopyTo(into);
        return count;
    }

    private byte[] Piece(int index, int wanted)
    {
        if (index >= _pieces.Length)
        {
            var known = _total != Unknown && IsKept ? (int)((_total + PieceBytes - 1) / PieceBytes) : 0;
            Array.Resize(ref _pieces, Math.Max(index + 1, Math.Max(known, _pieces.Length * 2)));
        }

        ref var piece = ref _pieces[index];
        if (piece is null || piece.Length < Math.Min(wanted, PieceBytes))
        {
            var exact = _total != Unknown ? _total - ((long)index * PieceBytes) : Math.Max(FirstPieceBytes, Math.Max(wanted, (piece?.Length ?? 0) * 2L));
            Array.Resize(ref piece, (int)Math.Min(PieceBytes, Math.Max(exact, Math.Min(wanted, PieceBytes))));
        }

        return piece!;
    }

    private void MoveWindow(Filling filling)
    {
        if (!IsKept)
        {
            Release(filling);
            if (filling.Readers.Count == 0 || _length - filling.Slowest() < WindowBytes)
            {
                filling.Filler?.Set();
            }
        }
    }

    private void Release(Filling filling)
    {
        var read = filling.Readers.Count == 0 ? _length : Math.Min(_length, filling.Slowest());
        for (var i = (int)(read / PieceBytes) - 1; i >= 0 && _pieces[i] is not null; i--)
        {
            _pieces[i] = null!;
        }
    }

    private sealed class Filling
    {
        public Lock Gate { get; } = new();

        public List<ContentReader> Readers { get; } = [];

        /// <summary>Whoever fills a window waits here for its readers.</summary>
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

        public void Wake()
        {
            foreach (var reader in Readers)
            {
                reader.Signal.Set();
            }
        }
    }
}
