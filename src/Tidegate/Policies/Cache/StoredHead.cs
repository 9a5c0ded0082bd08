using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>
/// An answer's fields as one block of bytes: for each the known field's number, or 0 with the name, and the value. What belongs to one hop, to one moment
/// or to one caller's allowance is left out (RFC 9111 3.1).
/// </summary>
internal static class StoredHead
{
    /// <summary>Larger heads are not stored.</summary>
    public const int MaxBytes = 64 * 1024;

    /// <summary>An answer's block; null when the head is too large.</summary>
    /// <param name="fields">The answer's.</param>
    /// <param name="unstored">Names of fields that must not be stored.</param>
    /// <param name="allowances">Names of fields in which the API's provider tells how much somebody may still call.</param>
    /// <param name="now">When it came.</param>
    /// <param name="tags">What it can be purged by.</param>
    /// <param name="vary">The request fields that it was chosen by.</param>
    /// <param name="contentBytes">Room behind the head.</param>
    public static AnswerBlock? Encode(HeaderList fields, string? unstored, IReadOnlyList<byte[]> allowances, DateTimeOffset now, ReadOnlySpan<ulong> tags, ReadOnlySpan<byte> vary, int contentBytes)
    {
        if (fields.ByteCount > MaxBytes)
        {
            return null;
        }

        var hasDate = fields.Contains(KnownHeader.Date);
        var bytes = ArrayPool<byte>.Shared.Rent(fields.ByteCount + (4 * fields.Count) + 64);
        var length = 0;
        for (var i = 0; i < fields.Count; i++)
        {
            var field = fields[i];
            if (field.Name.Length <= byte.MaxValue && IsStored(field, unstored, allowances))
            {
                length += Write(bytes.AsSpan(length), field.Known, field.Name, field.Value);
            }
        }

        if (!hasDate)
        {
            // RFC 9110 6.6.1: whoever stores an answer without a date gives it one.
            Span<byte> date = stackalloc byte[29];
            System.Buffers.Text.Utf8Formatter.TryFormat(now, date, out _, 'R');
            length += Write(bytes.AsSpan(length), KnownHeader.Date, default, date);
        }

        var block = AnswerBlock.Make(tags, vary, bytes.AsSpan(0, length), contentBytes);
        ArrayPool<byte>.Shared.Return(bytes);
        return block;
    }

    /// <summary>Appends every field to a list.</summary>
    public static void Decode(ReadOnlySpan<byte> head, HeaderList into)
    {
        while (Next(ref head, out var known, out var name, out var value))
        {
            into.Add(new HeaderField(known, name, value));
        }
    }

    /// <summary>The first field of that name.</summary>
    public static bool TryGet(ReadOnlySpan<byte> head, KnownHeader wanted, out ReadOnlySpan<byte> value)
    {
        while (Next(ref head, out var known, out _, out value))
        {
            if (known == wanted)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The next field; false at the end.</summary>
    public static bool Next(scoped ref ReadOnlySpan<byte> head, out KnownHeader known, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        known = default;
        name = default;
        value = default;
        if (head.IsEmpty)
        {
            return false;
        }

        known = (KnownHeader)head[0];
        var nameLength = (int)head[1];
        var valueLength = BinaryPrimitives.ReadUInt16LittleEndian(head[2..]);
        name = known == KnownHeader.None ? head.Slice(4, nameLength) : KnownHeaders.Bytes(known);
        value = head.Slice(4 + nameLength, valueLength);
        head = head[(4 + nameLength + valueLength)..];
        return true;
    }

    /// <summary>Puts a validation's fields over stored ones (RFC 9111 3.2).</summary>
    public static void Update(HeaderList stored, HeaderList newer)
    {
        for (var i = 0; i < newer.Count; i++)
        {
            if (Updates(newer[i].Known))
            {
                stored.Remove(newer[i].Name);
            }
        }

        for (var i = 0; i < newer.Count; i++)
        {
            if (Updates(newer[i].Known))
            {
                stored.Add(newer[i]);
            }
        }
    }

    /// <summary>What describes the stored bytes stays as it came with them.</summary>
    private static bool Updates(KnownHeader known) => known is not (KnownHeader.ContentLength or KnownHeader.ContentEncoding or KnownHeader.ContentType or KnownHeader.TransferEncoding or KnownHeader.Connection);

    private static int Write(Span<byte> into, KnownHeader known, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        var nameLength = known == KnownHeader.None ? name.Length : 0;
        into[0] = (byte)known;
        into[1] = (byte)nameLength;
        BinaryPrimitives.WriteUInt16LittleEndian(into[2..], (ushort)value.Length);
        name[..nameLength].CopyTo(into[4..]);
        value.CopyTo(into[(4 + nameLength)..]);
        return 4 + nameLength + value.Length;
    }

    private static bool IsStored(HeaderField field, string? unstored, IReadOnlyList<byte[]> allowances)
    {
        switch (field.Known)
        {
            case KnownHeader.Connection or KnownHeader.KeepAlive or KnownHeader.ProxyAuthenticate or KnownHeader.ProxyAuthorization or KnownHeader.ProxyConnection
                or KnownHeader.TE or KnownHeader.TransferEncoding or KnownHeader.Upgrade or KnownHeader.Trailer or KnownHeader.Age or KnownHeader.ContentLength:
                return false;
            case KnownHeader.None when Ascii.EqualsIgnoreCase(field.Name, "Proxy-Authentication-Info"u8) || IsAllowance(field.Name, allowances):
                return false;
            default:
                return unstored is null || !IsNamed(unstored, field.Name);
        }
    }

    /// <summary>How much somebody may still call was true for one call only.</summary>
    private static bool IsAllowance(ReadOnlySpan<byte> name, IReadOnlyList<byte[]> allowances)
    {
        for (var i = 0; i < allowances.Count; i++)
        {
            if (Ascii.EqualsIgnoreCase(name, allowances[i]))
            {
                return true;
            }
        }

        return FieldNames.IsAllowance(name);
    }

    private static bool IsNamed(string names, ReadOnlySpan<byte> name)
    {
        foreach (var range in names.AsSpan().Split(','))
        {
            if (Ascii.EqualsIgnoreCase(name, names.AsSpan(range).Trim()))
            {
                return true;
            }
        }

        return false;
    }
}
