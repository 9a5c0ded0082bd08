using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>
/// Where an exchange's answer is kept. A keyed hash (SipHash, 128 bits) of everything that the answer depends on, so that no two requests can be made to meet:
/// partition, API, target, what a proxy said of the scheme, and what the configuration adds.
/// </summary>
internal readonly record struct CacheKey
{
    private const int SmallBytes = 1024;

    // A head's own bound, and room for what is added to it.
    private const int LargeBytes = 128 * 1024;

    public UInt128 Value { get; internal init; }

    /// <summary>The URL in every partition.</summary>
    public ulong Url { get; private init; }

    public ulong Api { get; private init; }

    /// <summary>Whose answers.</summary>
    public ulong Partition { get; private init; }

    /// <summary>One credential's: what is private to it may be kept.</summary>
    public bool IsPrivate { get; private init; }

    /// <summary>One credential's, or those of one consumer that has a name.</summary>
    public bool IsOneCaller { get; private init; }

    /// <summary>The key; null when the request is too large to have one.</summary>
    /// <param name="exchange">Its target, consumer and fields.</param>
    /// <param name="settings">Of its route.</param>
    /// <param name="route">What of it is the same for each exchange of the route.</param>
    /// <param name="body">A POST's content, where that is a part of the key.</param>
    public static CacheKey? Of(Exchange exchange, CacheSettings settings, CacheKeyParts route, ReadOnlySpan<byte> body = default)
    {
        var isPlain = DependsOnTargetAlone(exchange, settings);
        var target = exchange.Target;
        if (isPlain && KnownKey.Find(target, route) is { } known)
        {
            return known.Key;
        }

        Span<byte> small = stackalloc byte[SmallBytes];
        if (TryMake(exchange, settings, route, body, small, out var key))
        {
            if (isPlain && target.Keyed.IsAskedAgain())
            {
                KnownKey.Keep(target, route, key);
            }

            return key;
        }

        var rented = ArrayPool<byte>.Shared.Rent(LargeBytes);
        var fits = TryMake(exchange, settings, route, body, rented, out key);
        ArrayPool<byte>.Shared.Return(rented, clearArray: true);
        return fits ? key : null;
    }

    /// <summary>The place of a URL among the epochs.</summary>
    /// <param name="secret">This process's.</param>
    /// <param name="url">Host, port unless it is the scheme's own, path and query.</param>
    public static ulong OfUrl(UInt128 secret, string url) => OfName(secret, 'u', url);

    public static ulong OfApi(UInt128 secret, string api) => OfName(secret, 'a', api);

    /// <summary>Of a tag within an API.</summary>
    public static ulong OfTag(UInt128 secret, string api, ReadOnlySpan<char> tag) => OfName(secret, 't', string.Concat(api, "\0", tag));

    /// <summary>Of a group (RFC 9875) within an origin.</summary>
    public static ulong OfGroup(UInt128 secret, string origin, string group) => OfName(secret, 'g', origin + "\0" + group);

    /// <summary>Where the parts are of what is kept under a key.</summary>
    public static UInt128 OfParts(UInt128 key) => key ^ new UInt128(0x7061727473206F66, 0);

    /// <summary>Of one stored answer, and those that take its place: its key and the request fields that it was chosen by.</summary>
    public static ulong OfAnswer(StoredAnswer answer)
    {
        var name = (ulong)answer.Key ^ (ulong)(answer.Key >> 64);
        return answer.Vary.IsEmpty ? name : name ^ (ulong)SipHash.Compute(answer.Key, answer.Vary);
    }

    /// <summary>Of what is kept for a consumer.</summary>
    /// <param name="secret">This process's.</param>
    /// <param name="consumer">Its name; anonymous for those without one.</param>
    public static ulong OfConsumer(UInt128 secret, string consumer)
    {
        Span<byte> bytes = new byte[16 + (consumer.Length * 3)];
        var writer = new Writer(bytes);
        writer.AddByte((byte)CachePartition.Consumer);
        writer.AddPart(consumer == Consumer.Anonymous.Name ? "" : consumer);
        return (ulong)SipHash.Compute(secret, writer.Written);
    }

    /// <summary>Of what is kept for calls that do not say whose they are.</summary>
    public static UInt128 OfNobody(UInt128 secret, CacheSettings settings)
    {
        Span<byte> bytes = stackalloc byte[32];
        var writer = new Writer(bytes);
        writer.AddByte((byte)settings.Partition);
        switch (settings.Partition)
        {
            case CachePartition.Consumer:
                writer.AddPart("");
                break;
            case CachePartition.Credential:
                writer.Add(settings.InjectedCredential);
                break;
        }

        return SipHash.Compute(secret, writer.Written);
    }

    /// <summary>Of what is kept for calls that carry one credential and no other.</summary>
    public static ulong OfPartition(UInt128 secret, UInt128 injected, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value) => OfCredential(secret, name, value, (byte)CachePartition.Credential, injected);

    /// <summary>Of what is kept for calls that carry several, one of them this.</summary>
    public static ulong OfCredential(UInt128 secret, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value) => OfCredential(secret, name, value, (byte)'c', 0);

    /// <summary>The places of a request's credentials among the epochs; none when it has no more than one, which is its partition's.</summary>
    public static ulong[] OfCredentials(UInt128 secret, HeaderList request)
    {
        List<ulong>? found = null;
        for (var i = 0; i < request.Count; i++)
        {
            if (FieldNames.IsCredential(request[i]))
            {
                (found ??= []).Add(OfCredential(secret, request[i].Name, request[i].Value));
            }
        }

        return found?.Count > 1 ? [.. found] : [];
    }

    private static ulong OfCredential(UInt128 secret, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, byte kind, UInt128 injected)
    {
        Span<byte> bytes = new byte[32 + name.Length + value.Length];
        var writer = new Writer(bytes);
        writer.AddByte(kind);
        writer.Add(injected);
        writer.AddName(name);
        writer.AddPart(value);
        return (ulong)SipHash.Compute(secret, writer.Written);
    }

    private static ulong OfName(UInt128 secret, char kind, string name) => (ulong)SipHash.Compute(secret, Encoding.UTF8.GetBytes(kind + name));

    private static bool TryMake(Exchange exchange, CacheSettings settings, CacheKeyParts route, ReadOnlySpan<byte> body, Span<byte> bytes, out CacheKey key)
    {
        key = default;
        var secret = route.Secret;
        var target = exchange.Target;

        // :: Step 1: The URL, without the parts of the query that mean nothing.
        var writer = new Writer(bytes);
        writer.AddByte((byte)'u');
        writer.Add(target.Authority);
        writer.Add(target.Path);
        AddQuery(ref writer, target.Query, settings);
        if (writer.IsFull)
        {
            return false;
        }

        var url = SipHash.Compute(secret, writer.Written);

        // :: Step 2: Whose.
        var partition = route.Nobodys;
        var isPrivate = settings.Partition == CachePartition.Credential && settings.InjectedCredential != 0;
        if (IsSomebodys(exchange, settings))
        {
            writer = new Writer(bytes);
            isPrivate |= AddPartition(ref writer, exchange, settings);
            if (writer.IsFull)
            {
                return false;
            }

            partition = SipHash.Compute(secret, writer.Written);
        }

        // :: Step 3: Both, and what else the answer depends on.
        writer = new Writer(bytes);
        writer.Add(url);
        writer.Add(partition);
        writer.AddPart(settings.Api);
        writer.AddPart(target.Scheme);
        writer.AddPart(exchange.BasePath ?? "");
        writer.AddPart(exchange.BasePath is null ? "" : exchange.BaseOrigin ?? "");
        if (exchange.RequestHeaders.TryGet(KnownHeader.XForwardedProto, out var scheme))
        {
            writer.AddPart(scheme);
        }

        foreach (var name in (byte[][])settings.KeyHeaders)
        {
            AddLines(ref writer, exchange.RequestHeaders, name);
        }

        if (settings.KeysBody && exchange.Method == "POST")
        {
            // The same bytes mean something else as another type, or in another coding.
            writer.AddByte((byte)'P');
            writer.Add(SipHash.Compute(secret, body));
            AddLines(ref writer, exchange.RequestHeaders, "Content-Type"u8);
            AddLines(ref writer, exchange.RequestHeaders, "Content-Encoding"u8);
        }

        if (writer.IsFull)
        {
            return false;
        }

        key = new CacheKey
        {
            Value = SipHash.Compute(secret, writer.Written),
            Url = (ulong)url,
            Api = route.Api,
            Partition = (ulong)partition,
            IsPrivate = isPrivate,
            IsOneCaller = isPrivate || (settings.Partition == CachePartition.Consumer && !exchange.Consumer.IsAnonymous),
        };
        return true;
    }

    /// <summary>Nothing of the request but its target is part of the key: then it is the same whenever the target comes again, and need not be hashed.</summary>
    private static bool DependsOnTargetAlone(Exchange exchange, CacheSettings settings) =>
        exchange.BasePath is null && settings.KeyHeaders.Count == 0 && exchange.Method is "GET" or "HEAD" && !IsSomebodys(exchange, settings)
        && exchange.RequestHeaders.TryGet(KnownHeader.XForwardedProto, out var scheme) && Ascii.Equals(scheme, exchange.Target.Scheme);

    /// <summary>The request says for whom it is, in a way that the partition heeds.</summary>
    private static bool IsSomebodys(Exchange exchange, CacheSettings settings)
    {
        if (settings.Partition != CachePartition.Credential)
        {
            return settings.Partition == CachePartition.Consumer && !exchange.Consumer.IsAnonymous;
        }

        var fields = exchange.RequestHeaders;
        for (var i = 0; i < fields.Count; i++)
        {
            if (FieldNames.IsCredential(fields[i]))
            {
                return true;
            }
        }

        return false;
    }

    /// <returns>Whether it is a credential's.</returns>
    private static bool AddPartition(ref Writer writer, Exchange exchange, CacheSettings settings)
    {
        writer.AddByte((byte)settings.Partition);
        if (settings.Partition == CachePartition.Consumer)
        {
            writer.AddPart(exchange.Consumer.Name);
            return false;
        }

        writer.Add(settings.InjectedCredential);
        var fields = exchange.RequestHeaders;
        for (var i = 0; i < fields.Count; i++)
        {
            var field = fields[i];
            if (FieldNames.IsCredential(field))
            {
                writer.AddName(field.Name);
                writer.AddPart(field.Value);
            }
        }

        return true;
    }

    /// <summary>Every line of a field, in its order: a service may read the first, the last or all of them.</summary>
    private static void AddLines(ref Writer writer, HeaderList fields, ReadOnlySpan<byte> name)
    {
        for (var i = 0; i < fields.Count; i++)
        {
            var field = fields[i];
            if (FieldNames.AreSame(field.Name, name))
            {
                writer.AddByte(field.Name.Contains((byte)'_') ? (byte)2 : (byte)1);
                writer.AddPart(field.Value);
            }
        }

        writer.AddByte(0);
    }

    private static void AddQuery(ref Writer writer, string? query, CacheSettings settings)
    {
        if (query is null)
        {
            return;
        }

        if (settings.Query.IsWhole)
        {
            writer.AddByte((byte)'?');
            writer.Add(query);
            return;
        }

        var isFirst = true;
        foreach (var range in query.AsSpan().Split('&'))
        {
            var parameter = query.AsSpan(range);
            if (settings.Query.Keeps(parameter))
            {
                writer.AddByte(isFirst ? (byte)'?' : (byte)'&');
                writer.Add(parameter);
                isFirst = false;
            }
        }
    }

    /// <summary>Puts parts one behind the other; a part with its length, so that two cannot borrow from each other.</summary>
    private ref struct Writer(Span<byte> bytes)
    {
        private readonly Span<byte> _bytes = bytes;
        private int _length;

        public bool IsFull { get; private set; }

        public readonly ReadOnlySpan<byte> Written => _bytes[.._length];

        public void AddByte(byte value)
        {
            if (Has(1))
            {
                _bytes[_length++] = value;
            }
        }

        public void Add(UInt128 value)
        {
            if (Has(16))
            {
                BinaryPrimitives.WriteUInt128LittleEndian(_bytes[_length..], value);
                _length += 16;
            }
        }

        public void Add(ReadOnlySpan<char> text)
        {
            if (Has(text.Length * 3))
            {
                _length += Encoding.UTF8.GetBytes(text, _bytes[_length..]);
            }
        }

        public void AddPart(ReadOnlySpan<char> text)
        {
            if (Has(sizeof(int) + (text.Length * 3)))
            {
                var written = Encoding.UTF8.GetBytes(text, _bytes[(_length + sizeof(int))..]);
                BinaryPrimitives.WriteInt32LittleEndian(_bytes[_length..], written);
                _length += sizeof(int) + written;
            }
        }

        /// <summary>A field's name, in whatever case it came.</summary>
        public void AddName(ReadOnlySpan<byte> name)
        {
            AddPart(name);
            if (!IsFull)
            {
                Ascii.ToLowerInPlace(_bytes.Slice(_length - name.Length, name.Length), out _);
            }
        }

        public void AddPart(ReadOnlySpan<byte> part)
        {
            if (Has(sizeof(int) + part.Length))
            {
                BinaryPrimitives.WriteInt32LittleEndian(_bytes[_length..], part.Length);
                part.CopyTo(_bytes[(_length + sizeof(int))..]);
                _length += sizeof(int) + part.Length;
            }
        }

        private bool Has(int count)
        {
            IsFull |= _bytes.Length - _length < count;
            return !IsFull;
        }
    }
}
