using System.Buffers;
using System.Globalization;
using System.Text;
using Google.Protobuf;
using MlOps.Contracts.OpenInference;
using MlOps.Gateway.Splits;
using MlOps.Gateway.Splits.Subjects;

namespace MlOps.Gateway.Tests.Splits;

public sealed class SubjectTests
{
    private static readonly SubjectField User = FieldOf(p => p with { SubjectInput = SubjectValue.Input });

    [Fact]
    public void A_value_is_the_same_subject_in_every_form_of_every_protocol()
    {
        var distinct = new HashSet<string>(StringComparer.Ordinal);
        foreach (var value in SubjectValue.Many(4000, seed: 17))
        {
            var subject = InMessage(value.Typed("m"));
            Assert.NotNull(subject);
            Assert.Equal(subject, InMessage(value.InRaw("m")));
            Assert.Equal(subject, InJson(value.OpenInferenceJson));
            var (body, jsonLength) = value.OpenInferenceBinary;
            Assert.Equal(subject, InJson(body, jsonLength: jsonLength));
            // Rows of JSON know no single precision.
            if (value.Datatype != "FP32") Assert.Equal(subject, InJson(value.RowsJson));
            if (value.Datatype != "FP32") Assert.Equal(subject, InJson(value.InstancesJson));
            if (value.Rows("m") is { } rows) Assert.Equal(subject, InRows(rows.ToByteArray()));
            distinct.Add(subject);
        }

        Assert.True(distinct.Count > 2000);
    }

    [Theory]
    [InlineData("42", "42")]
    [InlineData("42.0", "42")]
    [InlineData("4.2e1", "42")]
    [InlineData("-0", "0")]
    [InlineData("0.1", "0.1")]
    [InlineData("9007199254740993", "9007199254740993")]
    [InlineData("18446744073709551615", "18446744073709551615")]
    [InlineData("1e300", "1E+300")]
    [InlineData("true", "true")]
    [InlineData("\"u\\u0073er\"", "user")]
    [InlineData("\"\"", null)]
    [InlineData("null", null)]
    [InlineData("{}", null)]
    [InlineData("[1]", null)]
    public void A_number_is_one_subject_however_it_is_written(string json, string? subject) =>
        Assert.Equal(subject, InJson(Encoding.UTF8.GetBytes($$"""{"rows":[{"user":{{json}}}]}""")));

    [Fact]
    public void Members_may_stand_in_any_order_and_names_be_escaped()
    {
        Assert.Equal("u", InJson("""{"inputs":[{"data":["x"],"name":"a","datatype":"BYTES"},{"data":[["u"],["v"]],"datatype":"BYTES","name":"user"}]}"""u8));
        Assert.Equal("7", InJson("""{"x":{"rows":[{"user":1}]},"rows":[{"a":[{"user":2}],"us\u0065r":7}]}"""u8));
        Assert.Equal("7", InJson("""{"inputs":[{"name":"user","shape":[1],"datatype":"INT64","data":7}]}"""u8));
        Assert.Null(InJson("""{"inputs":[{"name":"user","shape":[1],"datatype":"INT64","data":[]}]}"""u8));
        Assert.Null(InJson("""{"inputs":[{"name":"other","datatype":"INT64","data":[1]}],"user":3}"""u8));
        Assert.Null(InJson("""[{"user":3}]"""u8));
        Assert.Null(InJson(""u8));
        Assert.Null(InJson("not json"u8));
        Assert.Null(InJson([.. """{"rows":[{"user":"""u8, (byte)'"', 0xFF, 0xFE, (byte)'"', .. "}]}"u8]));
    }

    [Theory]
    [InlineData("/parameters/user", "u-1")]
    [InlineData("/id", "r-1")]
    [InlineData("/inputs/0/data/1", "2")]
    [InlineData("/odd~1na~0me/0", "true")]
    [InlineData("/inputs/9", null)]
    [InlineData("/inputs/x", null)]
    [InlineData("/inputs", null)]
    [InlineData("/nothing/at/all", null)]
    public void A_pointer_leads_to_whatever_stands_there(string pointer, string? subject) => Assert.Equal(
        subject,
        InJson(
            """{"id":"r-1","parameters":{"other":{"user":"no"},"user":"u-1"},"inputs":[{"data":[1,2]}],"odd/na~me":[true]}"""u8,
            FieldOf(p => p with { SubjectJson = pointer })));

    [Fact]
    public void Pointers_to_id_and_parameters_lead_to_the_same_over_grpc()
    {
        var request = new ModelInferRequest
        {
            ModelName = "m",
            Id = "r-1",
            Parameters =
            {
                ["text"] = new InferParameter { StringParam = "u-1" },
                ["whole"] = new InferParameter { Int64Param = -5 },
                ["flag"] = new InferParameter { BoolParam = true },
                ["number"] = new InferParameter { DoubleParam = 2 },
                ["large"] = new InferParameter { Uint64Param = ulong.MaxValue },
            },
        };
        var json = Encoding.UTF8.GetBytes(
            """{"id":"r-1","parameters":{"text":"u-1","whole":-5,"flag":true,"number":2.0,"large":18446744073709551615}}""");
        foreach (var (pointer, subject) in new[]
        {
            ("/id", "r-1"), ("/parameters/text", "u-1"), ("/parameters/whole", "-5"), ("/parameters/flag", "true"),
            ("/parameters/number", "2"), ("/parameters/large", "18446744073709551615"), ("/parameters/none", null), ("/inputs/0", null),
        })
        {
            var field = FieldOf(p => p with { SubjectJson = pointer });
            Assert.Equal(subject, InMessage(request, field));
            Assert.Equal(subject, InJson(json, field));
        }
    }

    [Fact]
    public void What_is_found_does_not_depend_on_how_the_network_cut_the_body()
    {
        var random = new Random(3);
        foreach (var value in SubjectValue.Many(120, seed: 5))
        {
            var (binary, jsonLength) = value.OpenInferenceBinary;
            foreach (var (body, length) in new[] { (value.OpenInferenceJson, -1), (value.RowsJson, -1), (binary, jsonLength) })
            {
                var whole = InJson(body, jsonLength: length);
                for (var received = 0; received <= body.Length; received += random.Next(1, 9))
                {
                    var subject = default(SubjectText);
                    var part = new ReadOnlySequence<byte>(body.AsMemory(0, received));
                    if (JsonSubject.Find(part, isAll: false, length, User, ref subject) == JsonSubject.Outcome.Decided)
                        Assert.Equal(whole, TextOf(subject));
                }
            }
        }
    }

    [Fact]
    public void The_first_element_of_a_tensor_decides_before_the_rest_of_it_is_there()
    {
        var body = Encoding.UTF8.GetBytes($$"""{"inputs":[{"name":"user","datatype":"INT64","shape":[9000],"data":[7,{{string.Join(',', Enumerable.Range(0, 9000))}}]}]}""");
        var subject = default(SubjectText);
        Assert.Equal(
            JsonSubject.Outcome.Decided,
            JsonSubject.Find(new ReadOnlySequence<byte>(body.AsMemory(0, 100)), isAll: false, -1, User, ref subject));
        Assert.Equal("7", TextOf(subject));
    }

    [Fact]
    public void A_message_cut_off_gives_what_lies_before_the_cut()
    {
        var rows = new SubjectValue("BYTES", "u-1").Rows("m") ?? throw new InvalidOperationException("no rows");
        rows.Rows.Columns.Add(new Contracts.Tables.V1.Column
        {
            Name = "long",
            Doubles = new Contracts.Tables.V1.DoubleValues { Values = { Enumerable.Repeat(1.0, 100_000) } },
        });
        Assert.Equal("u-1", InRows(rows.ToByteArray().AsSpan(0, 60_000)));

        var behind = new SubjectValue("BYTES", "u-1").Typed("m");
        behind.Inputs.Insert(0, new ModelInferRequest.Types.InferInputTensor
        {
            Name = "long",
            Contents = new InferTensorContents { Fp64Contents = { Enumerable.Repeat(1.0, 100_000) } },
        });
        Assert.Equal("u-1", InMessage(behind));
        var subject = default(SubjectText);
        InferSubject.Find(behind.ToByteArray().AsSpan(0, 60_000), User, ref subject);
        Assert.Equal(0, subject.Length);
    }

    [Fact]
    public void A_missing_value_a_time_and_a_text_too_long_are_no_subject()
    {
        var missing = new SubjectValue("INT64", 7L).Rows("m") ?? throw new InvalidOperationException("no rows");
        missing.Rows.Columns[1].Missing = ByteString.CopyFrom(1);
        Assert.Null(InRows(missing.ToByteArray()));
        missing.Rows.Columns[1].Missing = ByteString.CopyFrom(2);
        Assert.Equal("7", InRows(missing.ToByteArray()));
        missing.Rows.Columns[1].Times = new Contracts.Tables.V1.TimeValues { Values = { 7 } };
        Assert.Null(InRows(missing.ToByteArray()));

        Assert.NotNull(InJson(new SubjectValue("BYTES", new string('ü', 512)).RowsJson));
        Assert.Null(InJson(new SubjectValue("BYTES", new string('ü', 513)).RowsJson));
        Assert.Null(InMessage(new SubjectValue("BYTES", new string('ü', 513)).Typed("m")));
        Assert.Null(InMessage(new SubjectValue("FP64", double.NaN).Typed("m")));
    }

    [Fact]
    public void Any_bytes_at_all_give_a_decision_and_never_an_exception()
    {
        var random = new Random(7);
        var good = SubjectValue.Many(64, seed: 9).SelectMany(v => new[]
        {
            v.OpenInferenceJson, v.RowsJson, v.Typed("m").ToByteArray(), v.InRaw("m").ToByteArray(), v.Rows("m")?.ToByteArray() ?? [],
        }).ToArray();
        for (var trial = 0; trial < 4_000; trial++)
        {
            var bytes = good[random.Next(good.Length)].ToArray();
            for (var i = random.Next(6); i > 0 && bytes.Length > 0; i--) bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            var cut = bytes[..random.Next(bytes.Length + 1)];
            Assert.True(InJson(cut) is null or { Length: > 0 });
            Assert.True(InJson(cut, jsonLength: random.Next(200)) is null or { Length: > 0 });
            Assert.True(InRows(cut) is null or { Length: > 0 });
            var subject = default(SubjectText);
            InferSubject.Find(cut, User, ref subject);
            InferSubject.Find(cut, FieldOf(p => p with { SubjectJson = "/parameters/user" }), ref subject);
        }
    }

    private static string? InMessage(ModelInferRequest request, SubjectField? field = null)
    {
        var subject = default(SubjectText);
        InferSubject.Find(request.ToByteArray(), field ?? User, ref subject);
        return TextOf(subject);
    }

    private static string? InRows(ReadOnlySpan<byte> message)
    {
        var subject = default(SubjectText);
        RowsSubject.Find(message, User, ref subject);
        return TextOf(subject);
    }

    private static string? InJson(ReadOnlySpan<byte> body, SubjectField? field = null, long jsonLength = -1)
    {
        var subject = default(SubjectText);
        Assert.Equal(
            JsonSubject.Outcome.Decided,
            JsonSubject.Find(new ReadOnlySequence<byte>(body.ToArray()), isAll: true, jsonLength, field ?? User, ref subject));
        return TextOf(subject);
    }

    private static string? TextOf(in SubjectText subject) => subject.Length == 0 ? null : subject.Value.ToString();

    private static SubjectField FieldOf(Func<TrafficPolicy, TrafficPolicy> with) =>
        SubjectField.Of(with(new TrafficPolicy("m", [new PolicyArm("a", "1", 1)], "s", 1, "h", 1, default)))
        ?? throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture, $"no field"));
}
