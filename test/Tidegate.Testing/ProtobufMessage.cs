using System.Buffers.Binary;
using System.Text;

namespace Tidegate.Testing;

/// <summary>A protobuf message taken apart without its schema: fields by number, in order. Throws on anything that is not wire format.</summary>
public sealed class ProtobufMessage
{
    private readonly List<(int Field, int Type, ulong Number, ReadOnlyMemory<byte> Bytes)> _fields = [];

    /// <summary>Parses.</summary>
    public ProtobufMessage(ReadOnlyMemory<byte> bytes)
    {
        var rest = bytes;
        while (!rest.IsEmpty)
        {
            var tag = Varint(ref rest);
            var (field, type) = ((int)(tag >> 3), (int)(tag & 7));
            var (number, content) = type switch
            {
                0 => (Varint(ref rest), default),
                1 => (BinaryPrimitives.ReadUInt64LittleEndian(Take(ref rest, 8).Span), default),
                2 => (0UL, Take(ref rest, (int)Varint(ref rest))),
                5 => (BinaryPrimitives.ReadUInt32LittleEndian(Take(ref rest, 4).Span), default(ReadOnlyMemory<byte>)),
                _ => throw new FormatException($"Field {field} has wire type {type}."),
            };
            _fields.Add((field, type, number, content));
        }
    }

    /// <summary>Every nested message with that number.</summary>
    public IReadOnlyList<ProtobufMessage> All(int field) => [.. _fields.Where(found => found.Field == field).Select(found => new ProtobufMessage(found.Bytes))];

    /// <summary>The only nested message with that number.</summary>
    public ProtobufMessage One(int field) => All(field).Single();

    /// <summary>Whether there is such a field.</summary>
    public bool Has(int field) => _fields.Any(found => found.Field == field);

    /// <summary>The only number with that field number: a varint, or fixed.</summary>
    public ulong Number(int field) => _fields.Single(found => found.Field == field).Number;

    /// <summary>The only double.</summary>
    public double Double(int field) => BitConverter.UInt64BitsToDouble(Number(field));

    /// <summary>The only text; empty when there is none.</summary>
    public string Text(int field) => Encoding.UTF8.GetString(Bytes(field).Span);

    /// <summary>The only bytes, as lower-case hex.</summary>
    public string Hex(int field) => Convert.ToHexStringLower(Bytes(field).Span);

    /// <summary>The only packed list of fixed64 numbers.</summary>
    public IReadOnlyList<ulong> Packed(int field) => [.. Bytes(field).ToArray().Chunk(8).Select(chunk => BinaryPrimitives.ReadUInt64LittleEndian(chunk))];

    /// <summary>OTLP attributes (KeyValue) in that field, by key; texts as they are, numbers in decimal.</summary>
    public IReadOnlyDictionary<string, string> Attributes(int field) => All(field).ToDictionary(
        pair => pair.Text(1),
        pair => pair.One(2) is var value && value.Has(3) ? value.Number(3).ToString(System.Globalization.CultureInfo.InvariantCulture) : value.Text(1));

    /// <summary>The wire type of every field, as paths such as <c>1.2.2.1:2</c>, descending only where told.</summary>
    /// <param name="messages">The paths that are messages.</param>
    public IReadOnlySet<string> Shape(IReadOnlySet<string> messages)
    {
        var paths = new HashSet<string>();
        Collect("", paths, messages);
        return paths;
    }

    private void Collect(string prefix, HashSet<string> paths, IReadOnlySet<string> messages)
    {
        foreach (var (field, type, _, content) in _fields)
        {
            var path = prefix.Length == 0 ? $"{field}" : $"{prefix}.{field}";
            paths.Add($"{path}:{type}");
            if (messages.Contains(path))
            {
                new ProtobufMessage(content).Collect(path, paths, messages);
            }
        }
    }

    private ReadOnlyMemory<byte> Bytes(int field) => _fields.SingleOrDefault(found => found.Field == field).Bytes;

    private static ReadOnlyMemory<byte> Take(ref ReadOnlyMemory<byte> rest, int count)
    {
        var taken = rest[..count];
        rest = rest[count..];
        return taken;
    }

    private static ulong Varint(ref ReadOnlyMemory<byte> rest)
    {
        var value = 0UL;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var next = Take(ref rest, 1).Span[0];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }

        throw new FormatException("A varint is longer than ten bytes.");
    }
}
