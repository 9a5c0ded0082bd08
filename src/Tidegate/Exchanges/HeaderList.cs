using System.Buffers;
using System.Text;

namespace Tidegate.Exchanges;

/// <summary>
/// Header or trailer fields exactly as they came: order, case and duplicates kept, names and values as bytes (Latin-1 when
/// read as text). Fields live in one pooled buffer, so that copying a message's fields allocates nothing in steady state.
/// </summary>
/// <remarks>Not thread-safe. Spans handed out are valid until the list is changed.</remarks>
public sealed class HeaderList
{
    private byte[] _bytes = [];
    private Entry[] _entries = [];
    private int _used;

    /// <summary>The number of fields; duplicates count each.</summary>
    public int Count { get; private set; }

    /// <summary>Bytes of all names and values, of removed fields too: at least what the fields take.</summary>
    public int ByteCount => _used;

    /// <summary>Those bytes, side by side: for a check of all at once that a removed field may fail too.</summary>
    internal ReadOnlySpan<byte> Storage => _bytes.AsSpan(0, _used);

    /// <summary>The field at a position.</summary>
    public HeaderField this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count, nameof(index));
            ref var entry = ref _entries[index];
            return new HeaderField(entry.Known, _bytes.AsSpan(entry.Offset, entry.NameLength), _bytes.AsSpan(entry.Offset + entry.NameLength, entry.ValueLength));
        }
    }

    /// <summary>Appends a field. The caller vouches that name and value are well-formed.</summary>
    public void Add(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value) => Append(KnownHeaders.Identify(name), name, value);

    /// <summary>Appends a known field.</summary>
    public void Add(KnownHeader name, ReadOnlySpan<byte> value) => Append(name, KnownHeaders.Bytes(name), value);

    /// <summary>Appends a known field; the value is written as Latin-1.</summary>
    public void Add(KnownHeader name, string value)
    {
        var bytes = KnownHeaders.Bytes(name);
        bytes.CopyTo(Begin(bytes.Length + value.Length));
        Encoding.Latin1.GetBytes(value, _bytes.AsSpan(_used + bytes.Length));
        End(name, bytes.Length, value.Length);
    }

    /// <summary>Appends a field; name and value are written as Latin-1.</summary>
    public void Add(string name, string value)
    {
        var length = name.Length + value.Length;
        Span<byte> scratch = length <= 512 ? stackalloc byte[length] : new byte[length];
        Encoding.Latin1.GetBytes(name, scratch);
        Encoding.Latin1.GetBytes(value, scratch[name.Length..]);
        Add(scratch[..name.Length], scratch[name.Length..]);
    }

    /// <summary>Appends a field of another list.</summary>
    public void Add(HeaderField field) => Append(field.Known, field.Name, field.Value);

    /// <summary>Replaces every field of that name by one.</summary>
    public void Set(KnownHeader name, string value)
    {
        Remove(name);
        Add(name, value);
    }

    /// <summary>Replaces every field of that name by one.</summary>
    public void Set(KnownHeader name, ReadOnlySpan<byte> value)
    {
        Remove(name);
        Add(name, value);
    }

    /// <summary>Replaces every field of that name by one.</summary>
    public void Set(string name, string value)
    {
        Remove(name);
        Add(name, value);
    }

    /// <summary>The first field of that name.</summary>
    public bool TryGet(KnownHeader name, out ReadOnlySpan<byte> value)
    {
        for (var i = 0; i < Count; i++)
        {
            if (_entries[i].Known == name)
            {
                value = this[i].Value;
                return true;
            }
        }

        value = default;
        return false;
    }

    /// <summary>The first field of that name, in any case.</summary>
    public bool TryGet(ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        for (var i = 0; i < Count; i++)
        {
            if (_entries[i].NameLength == name.Length && Ascii.EqualsIgnoreCase(this[i].Name, name))
            {
                value = this[i].Value;
                return true;
            }
        }

        value = default;
        return false;
    }

    /// <summary>The first field of that name as Latin-1 text, or null. Allocates.</summary>
    public string? Get(KnownHeader name) => TryGet(name, out var value) ? Encoding.Latin1.GetString(value) : null;

    /// <summary>The first field of that name as Latin-1 text, or null. Allocates.</summary>
    public string? Get(string name) => TryGet(Encoding.Latin1.GetBytes(name), out var value) ? Encoding.Latin1.GetString(value) : null;

    /// <summary>Whether there is such a field.</summary>
    public bool Contains(KnownHeader name) => CountOf(name) > 0;

    /// <summary>How many fields have that name.</summary>
    public int CountOf(KnownHeader name)
    {
        var count = 0;
        for (var i = 0; i < Count; i++)
        {
            count += _entries[i].Known == name ? 1 : 0;
        }

        return count;
    }

    /// <summary>Removes every field of that name.</summary>
    /// <returns>Whether there was one.</returns>
    public bool Remove(KnownHeader name)
    {
        var kept = 0;
        for (var i = 0; i < Count; i++)
        {
            if (_entries[i].Known != name)
            {
                _entries[kept++] = _entries[i];
            }
        }

        return Truncate(kept);
    }

    /// <summary>Removes every field of that name, in any case.</summary>
    /// <returns>Whether there was one.</returns>
    public bool Remove(ReadOnlySpan<byte> name)
    {
        var kept = 0;
        for (var i = 0; i < Count; i++)
        {
            if (_entries[i].NameLength != name.Length || !Ascii.EqualsIgnoreCase(this[i].Name, name))
            {
                _entries[kept++] = _entries[i];
            }
        }

        return Truncate(kept);
    }

    /// <summary>Removes every field of that name, in any case.</summary>
    /// <returns>Whether there was one.</returns>
    public bool Remove(string name) => Remove(Encoding.Latin1.GetBytes(name));

    /// <summary>Removes the field at a position; later fields move up.</summary>
    public void RemoveAt(int index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count, nameof(index));
        Array.Copy(_entries, index + 1, _entries, index, Count - index - 1);
        Count--;
    }

    /// <summary>Appends every field of another list.</summary>
    public void AddAll(HeaderList other)
    {
        for (var i = 0; i < other.Count; i++)
        {
            Add(other[i]);
        }
    }

    /// <summary>Forgets all fields and keeps the memory for the next message.</summary>
    public void Clear()
    {
        Count = 0;
        _used = 0;
    }

    /// <summary>Gives the memory back to the pool. The list can be used again.</summary>
    public void Release()
    {
        Clear();
        if (_bytes.Length > 0)
        {
            // Values may be credentials: the next renter must not find them.
            ArrayPool<byte>.Shared.Return(_bytes, clearArray: true);
            _bytes = [];
        }
    }

    private bool Truncate(int kept)
    {
        var removed = kept != Count;
        Count = kept;
        return removed;
    }

    private void Append(KnownHeader known, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        var place = Begin(name.Length + value.Length);
        name.CopyTo(place);
        value.CopyTo(place[name.Length..]);
        End(known, name.Length, value.Length);
    }

    /// <summary>Room behind what there is.</summary>
    private Span<byte> Begin(int size)
    {
        if (_bytes.Length - _used < size)
        {
            Grow(size);
        }

        if (Count == _entries.Length)
        {
            Array.Resize(ref _entries, Math.Max(16, Count * 2));
        }

        return _bytes.AsSpan(_used);
    }

    /// <summary>What was written there is a field.</summary>
    private void End(KnownHeader known, int nameLength, int valueLength)
    {
        _entries[Count++] = new Entry(known, _used, nameLength, valueLength);
        _used += nameLength + valueLength;
    }

    private void Grow(int size)
    {
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(1024, Math.Max(_used + size, _bytes.Length * 2)));
        _bytes.AsSpan(0, _used).CopyTo(larger);
        if (_bytes.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_bytes, clearArray: true);
        }

        _bytes = larger;
    }

    private readonly record struct Entry(KnownHeader Known, int Offset, int NameLength, int ValueLength);
}

/// <summary>One field of a <see cref="HeaderList"/>, valid until the list is changed.</summary>
public readonly ref struct HeaderField(KnownHeader known, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
{
    /// <summary>Which known field this is, if any.</summary>
    public KnownHeader Known { get; } = known;

    /// <summary>The name as it came.</summary>
    public ReadOnlySpan<byte> Name { get; } = name;

    /// <summary>The value without surrounding white space.</summary>
    public ReadOnlySpan<byte> Value { get; } = value;
}
