using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using MlOps.Inference.Predictions;

namespace MlOps.Inference.Explanations;

/// <summary>SHA-256 of the question and of a row's values: no two rows share one, whatever callers try.</summary>
internal readonly record struct ExplanationKey(UInt128 High, UInt128 Low)
{
    /// <param name="question">Method, output, samples and seed.</param>
    /// <param name="inputs">Checked, in the model's order, which has their names and datatypes.</param>
    /// <param name="row">Of the request.</param>
    public static ExplanationKey Of(string question, InputSlot[] inputs, int row)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(question));
        Span<byte> length = stackalloc byte[4];
        foreach (var slot in inputs)
        {
            var width = slot.Count / slot.Rows;
            if (!slot.Layout.Datatype.IsText)
            {
                var size = width * slot.Layout.Datatype.Size;
                hash.AppendData(slot.Bytes.Slice(row * size, size));
                continue;
            }

            for (var i = row * width; i < (row + 1) * width; i++)
            {
                var text = slot.Text(i);
                BinaryPrimitives.WriteInt32LittleEndian(length, text.Length);
                hash.AppendData(length);
                hash.AppendData(text);
            }
        }

        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        hash.GetHashAndReset(digest);
        return new ExplanationKey(BinaryPrimitives.ReadUInt128BigEndian(digest), BinaryPrimitives.ReadUInt128BigEndian(digest[16..]));
    }
}
