using System.Numerics;
using Tidegate.Control.Store.Log;

namespace Tidegate.Control.Store.Rollups;

/// <summary>
/// How many different things there were (HyperLogLog; Flajolet and others, 2007): within 4 % with 1,024 registers, exact for a few. Sketches add up. Few registers are in use at
/// first: they are kept as pairs, in order. Not thread-safe.
/// </summary>
internal sealed class DistinctSketch
{
    private const int Bits = 10;
    private const int Registers = 1 << Bits;
    private const double Alpha = 0.7213 / (1 + (1.079 / Registers));

    // Beyond so many pairs the whole table is smaller.
    private const int MaxPairs = 128;

    private ushort[] _pairs = [];
    private int _used;
    private byte[]? _table;

    /// <summary>Adds something by a hash of it, all of whose bits are as good as random.</summary>
    public void Add(ulong hash) => Set((int)(hash >> (64 - Bits)), (byte)(BitOperations.LeadingZeroCount((hash << Bits) | (1UL << (Bits - 1))) + 1));

    /// <summary>Adds all of another's.</summary>
    public void Add(DistinctSketch other)
    {
        var at = 0;
        for (var i = 0; i < other._used; i++)
        {
            Set(other._pairs[i] >> 6, (byte)(other._pairs[i] & 63), ref at);
        }

        for (var i = 0; other._table is { } table && i < Registers; i++)
        {
            Set(i, table[i]);
        }
    }

    /// <summary>Empty again, with the room that pairs have.</summary>
    public void Clear()
    {
        _used = 0;
        _table = null;
    }

    /// <summary>How many different things were added, about.</summary>
    public long Estimate()
    {
        var sum = 0.0;
        var zeros = Registers;
        for (var i = 0; i < _used; i++)
        {
            sum += Math.Pow(2, -(_pairs[i] & 63));
            zeros--;
        }

        for (var i = 0; _table is { } table && i < Registers; i++)
        {
            sum += table[i] > 0 ? Math.Pow(2, -table[i]) : 0;
            zeros -= table[i] > 0 ? 1 : 0;
        }

        // While registers are empty, how many are says more than what is in the others.
        return (long)Math.Round(zeros > Registers / 20 ? Registers * Math.Log((double)Registers / zeros) : Alpha * Registers * Registers / (sum + zeros));
    }

    public void Write(ByteSink bytes)
    {
        if (_table is { } table)
        {
            bytes.Number((ulong)Registers);
            table.CopyTo(bytes.Reserve(Registers));
            return;
        }

        bytes.Number((ulong)_used);
        for (var i = 0; i < _used; i++)
        {
            bytes.Number((ulong)(_pairs[i] - (i == 0 ? 0 : _pairs[i - 1])));
        }
    }

    /// <summary>Adds what another wrote.</summary>
    /// <exception cref="InvalidDataException">Nobody wrote it.</exception>
    public void Read(ref ByteSource bytes)
    {
        var count = bytes.Count(Registers);
        if (count == Registers)
        {
            for (var i = 0; i < Registers; i++)
            {
                Set(i, (byte)bytes.Count(63));
            }

            return;
        }

        var pair = 0;
        var at = 0;
        for (; count > 0; count--)
        {
            pair += bytes.Count((Registers << 6) - 1 - pair);
            Set(pair >> 6, (byte)(pair & 63), ref at);
        }
    }

    private void Set(int register, byte rank)
    {
        var (at, end) = (0, _used);
        while (at < end)
        {
            var middle = (at + end) >> 1;
            (at, end) = _pairs[middle] >> 6 < register ? (middle + 1, end) : (at, middle);
        }

        Set(register, rank, ref at);
    }

    /// <summary>Sets a register whose pair is at a place or behind it: whoever sets many comes in their order.</summary>
    private void Set(int register, byte rank, ref int at)
    {
        if (rank == 0)
        {
            return;
        }

        if (_table is { } table)
        {
            table[register] = Math.Max(table[register], rank);
            return;
        }

        while (at < _used && _pairs[at] >> 6 < register)
        {
            at++;
        }

        if (at < _used && _pairs[at] >> 6 == register)
        {
            _pairs[at] = (ushort)((register << 6) | Math.Max(_pairs[at] & 63, rank));
            return;
        }

        if (_used == MaxPairs)
        {
            Unfold();
            Set(register, rank, ref at);
            return;
        }

        if (_used == _pairs.Length)
        {
            Array.Resize(ref _pairs, Math.Max(4, _used * 2));
        }

        Array.Copy(_pairs, at, _pairs, at + 1, _used - at);
        _pairs[at] = (ushort)((register << 6) | rank);
        _used++;
    }

    private void Unfold()
    {
        _table = new byte[Registers];
        for (var i = 0; i < _used; i++)
        {
            _table[_pairs[i] >> 6] = (byte)(_pairs[i] & 63);
        }

        _used = 0;
        _pairs = [];
    }
}
